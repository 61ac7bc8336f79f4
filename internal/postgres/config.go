package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/datastorage-service/datastorage/internal/access"
)

// Config configures a Store.
type Config struct {
	// URL is a PostgreSQL connection string:
	// postgres://user:password@host:port/database?sslmode=verify-full. It is a secret.
	URL string
	// Database replaces URL for databases that need more than a connection string, such as IAM
	// authentication.
	Database *access.Database
	// MaxConns limits the connections of the pool. 0 means 4. In Lambda 2 are enough: a sandbox
	// handles one request at a time.
	MaxConns int32
	// ConnectTimeout limits one attempt to connect. 0 means 2 s.
	ConnectTimeout time.Duration
	// PingTimeout limits the ping of an idle connection: the delay of a request whose connection
	// died while the sandbox was frozen. 0 means 1 s.
	PingTimeout time.Duration
	// MaxConnIdleTime closes connections that are idle for longer. Keep it below the proxy's idle
	// timeout. 0 means 5 min.
	MaxConnIdleTime time.Duration
	// Model is the stored name of the embedding model of the vectors; Store.WithModel selects another.
	// Empty means none: appended embeddings stay pending.
	Model string
	// ApplicationName is shown in pg_stat_activity. Empty means datastorage.
	ApplicationName string
}

// poolConfig validates the configuration and applies the defaults. Errors name the field and never
// contain the URL.
func (c Config) poolConfig() (*pgxpool.Config, error) {
	if (c.URL == "") == (c.Database == nil) {
		return nil, errors.New("postgres: URL or Database must be set")
	}
	if c.MaxConns < 0 || c.ConnectTimeout < 0 || c.PingTimeout < 0 || c.MaxConnIdleTime < 0 {
		return nil, errors.New("postgres: MaxConns, ConnectTimeout, PingTimeout and MaxConnIdleTime must not be negative")
	}
	pool, err := c.connectionConfig()
	if err != nil {
		return nil, err
	}
	// Unnamed statements, described once per connection: one round trip each, binary values, a plan
	// for the actual parameters, and nothing that pins a connection of RDS Proxy.
	pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	pool.ConnConfig.Tracer = tracer{}
	pool.ConnConfig.ConnectTimeout = cmp.Or(c.ConnectTimeout, 2*time.Second)
	pool.ConnConfig.RuntimeParams["application_name"] = cmp.Or(c.ApplicationName, "datastorage")
	pool.MaxConns = cmp.Or(c.MaxConns, 4)
	pool.BeforeClose = closeBrokenConn
	pool.MinConns = 0
	pool.PingTimeout = cmp.Or(c.PingTimeout, time.Second)
	pool.MaxConnIdleTime = cmp.Or(c.MaxConnIdleTime, 5*time.Minute)
	return pool, nil
}

// closeBrokenConn closes a broken connection immediately. The driver would wait up to 15 s for the
// server to close it, and it would occupy the pool until then: a sandbox that wakes up with only
// dead connections would have no connection for its next request.
func closeBrokenConn(conn *pgx.Conn) {
	if conn.IsClosed() {
		_ = conn.PgConn().Conn().Close()
	}
}

func (c Config) connectionConfig() (*pgxpool.Config, error) {
	if c.Database != nil {
		return c.Database.Pool()
	}
	pool, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		// The driver's message can contain parts of the URL.
		return nil, errors.New("postgres: URL is not a PostgreSQL connection string")
	}
	return pool, nil
}

// String hides the URL.
func (c Config) String() string {
	return fmt.Sprintf("{URL:[REDACTED] MaxConns:%d Model:%s}", c.MaxConns, c.Model)
}

// GoString hides the URL.
func (c Config) GoString() string { return "postgres.Config" + c.String() }
