package access_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/localstack"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func TestMain(m *testing.M) {
	code := postgrestest.Run(m)
	if err := secrets.close(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// secrets is the LocalStack of this test binary, started on first use.
var secrets secretsManager

type secretsManager struct {
	once   sync.Once
	server *localstack.Server
	err    error
}

func (s *secretsManager) config(tb testing.TB) aws.Config {
	tb.Helper()
	if testing.Short() {
		tb.Skip("starts LocalStack")
	}
	s.once.Do(func() {
		s.server, s.err = localstack.Start(context.Background(), localstack.Config{
			Services: []string{"secretsmanager"}, URL: os.Getenv("DATASTORAGE_LOCALSTACK_URL"), Progress: os.Stderr,
		})
	})
	if s.err != nil {
		tb.Fatal(s.err)
	}
	return s.server.Config()
}

func (s *secretsManager) close() error {
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}

func openStore(tb testing.TB, settings access.Settings, sdk aws.Config) *postgres.Store {
	tb.Helper()
	settings.MaxConns = 2
	databases, err := access.New(settings, sdk)
	if err != nil {
		tb.Fatal(err)
	}
	// The limits are far above what a busy machine needs: the tests count connections and attempts.
	stores, err := postgres.OpenStores(tb.Context(), databases, postgres.Config{
		Model: postgrestest.Model, ConnectTimeout: time.Minute, PingTimeout: time.Minute,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(stores.Close)
	return stores.Writer
}

// queryNothing runs one query without results.
func queryNothing(ctx context.Context, store *postgres.Store) error {
	_, err := store.List(ctx, audit.Filter{}, audit.PageRequest{Limit: 1})
	return err
}
