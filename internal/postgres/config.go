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

// Config says how to reach the database.
type Config struct {
	// URL is a PostgreSQL connection string:
	// postgres://user:password@host:port/database?sslmode=verify-full. It is a secret.
	URL string
	// Database is the way into the database where there is more to say than a URL does; URL is
	// empty then.
	Database *access.Database
	// MaxConns is how many connections the pool may hold. 0 means 4. In Lambda a sandbox serves one
	// request at a time: 2 do.
	MaxConns int32
	// ConnectTimeout bounds one attempt to connect. 0 means 2 s.
	ConnectTimeout time.Duration
	// PingTimeout bounds the check of a connection that was idle; a frozen sandbox's dead socket
	// costs this much at the most. 0 means 1 s.
	PingTimeout time.Duration
	// MaxConnIdleTime closes connections idle for longer; keep it under the proxy's. 0 means 5 min.
	MaxConnIdleTime time.Duration
	// Model is the name of the embedding model that vectors are written and searched under;
	// Store.WithModel chooses another. Empty means none: what is written has its vector pending.
	Model string
	// ApplicationName shows in pg_stat_activity. Empty means datastorage.
	ApplicationName string
}

// poolConfig validates c and fills in its defaults. Errors name the field and never repeat the URL.
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
	// Unnamed statements, described once a connection: one round trip each, binary values, a plan
	// made for the values at hand, and nothing that would pin a connection of RDS Proxy.
	pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	pool.ConnConfig.Tracer = tracer{}
	pool.ConnConfig.ConnectTimeout = cmp.Or(c.ConnectTimeout, 2*time.Second)
	pool.ConnConfig.RuntimeParams["application_name"] = cmp.Or(c.ApplicationName, "datastorage")
	pool.MaxConns = cmp.Or(c.MaxConns, 4)
	pool.BeforeClose = closeBroken
	pool.MinConns = 0
	pool.PingTimeout = cmp.Or(c.PingTimeout, time.Second)
	pool.MaxConnIdleTime = cmp.Or(c.MaxConnIdleTime, 5*time.Minute)
	return pool, nil
}

// closeBroken closes a broken connection at once. The driver would wait up to 15 s for the other
// end to say goodbye, and keep its place in the pool for so long: a sandbox that wakes up with all
// of its connections dead would have none for its next request.
func closeBroken(conn *pgx.Conn) {
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
		// The driver's message can hold parts of the URL.
		return nil, errors.New("postgres: URL is not a PostgreSQL connection string")
	}
	return pool, nil
}

// String hides the URL.
func (c Config) String() string {
	return fmt.Sprintf("{URL:[REDACTED] MaxConns:%d Model:%s}", c.MaxConns, c.Model)
}

// GoString hides the URL as well.
func (c Config) GoString() string { return "postgres.Config" + c.String() }
