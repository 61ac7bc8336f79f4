package postgres_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(sandboxVariable); url != "" {
		if err := runSandbox(context.Background(), url, os.Stdin, os.Stdout); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(postgrestest.Run(m))
}
