package endtoend_test

import (
	"os"
	"testing"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }
