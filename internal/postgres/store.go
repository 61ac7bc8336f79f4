package postgres

import (
	"context"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// Store reads and writes the service's database. It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	queries  *dbsqlc.Queries
	model    string
	attempts int
	// known has the IDs of stored signatures, whose text and terms need not be sent again.
	known *lru.Cache[audit.ID, struct{}]
	cache *cache
}

// maxKnownSignatures limits the memory of a store for known signatures, about 100 bytes each.
const maxKnownSignatures = 1 << 15

// Open validates the configuration and returns a store. It does not connect, so that a function
// starts and responds to /health while the database is down.
func Open(ctx context.Context, config Config) (*Store, error) {
	poolConfig, err := config.poolConfig()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("postgres: create the connection pool: %w", err)
	}
	known, err := lru.New[audit.ID, struct{}](maxKnownSignatures)
	if err != nil {
		return nil, fmt.Errorf("postgres: create the signature cache: %w", err)
	}
	return &Store{
		pool: pool, queries: dbsqlc.New(), model: config.Model, attempts: Attempts, known: known, cache: new(cache),
	}, nil
}

// Stores are the stores of one function. Reader is for reads that may miss the newest writes. It is
// the Writer unless the settings name another endpoint.
type Stores struct{ Writer, Reader *Store }

// OpenStores opens the stores for the databases of a function, otherwise with the same
// configuration. Like Open, it does not connect.
func OpenStores(ctx context.Context, databases access.Databases, config Config) (Stores, error) {
	config.MaxConns = databases.MaxConns
	config.Database = databases.Writer
	writer, err := Open(ctx, config)
	if err != nil || databases.Reader == databases.Writer {
		return Stores{Writer: writer, Reader: writer}, err
	}
	config.Database = databases.Reader
	reader, err := Open(ctx, config)
	if err != nil {
		writer.Close()
		return Stores{}, err
	}
	return Stores{Writer: writer, Reader: reader}, nil
}

// Close closes both stores.
func (s Stores) Close() {
	s.Writer.Close()
	if s.Reader != s.Writer {
		s.Reader.Close()
	}
}

// WithoutRetries returns the store with one attempt per call, for a caller that repeats several
// calls together with Retry. Both share the connections: closing one closes the other.
func (s *Store) WithoutRetries() *Store {
	other := *s
	other.attempts = 1
	return &other
}

// Close waits for running statements and closes every connection.
func (s *Store) Close() { s.pool.Close() }
