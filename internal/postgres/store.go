package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// Store is the database of the service. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	queries *dbsqlc.Queries
	model   string
	// known are signatures that are stored, so that their terms need not be made and sent again.
	known  *lru.Cache[audit.ID, struct{}]
	memory *memory
	// attempts is the number of attempts of each call.
	attempts int
}

// memory is what is remembered of the database, also by the same store for other models.
type memory struct {
	mu        sync.Mutex
	cursorKey []byte
	models    []dbsqlc.EmbeddingModel
	modelsAt  time.Time
}

// rememberedSignatures is how many signatures a store remembers to be stored; some 100 bytes each.
const rememberedSignatures = 1 << 15

// Open validates the configuration and makes a store. It does not connect: the first use does, so a function starts, and answers
// /health, while the database is away.
func Open(ctx context.Context, config Config) (*Store, error) {
	poolConfig, err := config.poolConfig()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("postgres: make the pool: %w", err)
	}
	known, err := lru.New[audit.ID, struct{}](rememberedSignatures)
	if err != nil {
		return nil, fmt.Errorf("postgres: remember signatures: %w", err)
	}
	return &Store{pool: pool, queries: dbsqlc.New(), model: config.Model, known: known, memory: new(memory), attempts: Attempts}, nil
}

// Stores are those of one function. Reader, for reads that may see what was written a little late, is Writer itself where the settings name
// no other endpoint.
type Stores struct{ Writer, Reader *Store }

// OpenStores makes the stores of a function on its endpoints, with the same configuration for the rest. Like Open, it does not connect.
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

// Close closes both.
func (s Stores) Close() {
	s.Writer.Close()
	if s.Reader != s.Writer {
		s.Reader.Close()
	}
}

// Close waits for what is under way and closes every connection.
func (s *Store) Close() { s.pool.Close() }

// WithoutRetries returns the same store, whose calls make one attempt each, for a caller that repeats several of them together with Retry. They
// share their connections; closing one closes the other.
func (s *Store) WithoutRetries() *Store {
	other := *s
	other.attempts = 1
	return &other
}

// CursorKey is the key that signs page cursors, 32 bytes; the same for every function on this database.
func (s *Store) CursorKey(ctx context.Context) ([]byte, error) {
	s.memory.mu.Lock()
	key := s.memory.cursorKey
	s.memory.mu.Unlock()
	if key != nil {
		return key, nil
	}
	key, err := retry(ctx, s, "read the cursor key", func(ctx context.Context) ([]byte, error) {
		return s.queries.CursorKey(ctx, s.pool)
	})
	if err != nil {
		return nil, err
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.cursorKey = key
	return key, nil
}

// PartitionsAhead makes the journal's partitions of this month and the given number of months after it, and answers how many were
// missing. Nobody waits for it longer than a second: where somebody reads the journal for so long, it is audit.ErrUnavailable.
func (s *Store) PartitionsAhead(ctx context.Context, months int32) (int, error) {
	return retry(ctx, s, "make the journal's partitions", func(ctx context.Context) (int, error) {
		made, err := s.queries.AuditEventPartitionsAhead(ctx, s.pool, dbsqlc.AuditEventPartitionsAheadParams{Months: months})
		return int(made), err
	})
}
