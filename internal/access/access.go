// Package access lets a function into its database: by whose certificate the server proves itself, and by what the function does: a password in the
// URL, a secret of AWS Secrets Manager, or IAM. It connects to nothing in the database, and knows nothing of what is kept there.
package access

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Settings say how the database is reached, by plain values, as a function's environment gives them; errors name them by their variables.
type Settings struct {
	// URL is postgres://user:password@host:port/database?sslmode=verify-full. Required. A secret.
	URL string
	// ReaderURL is the same for what may read a little late; empty: URL. A secret.
	ReaderURL string
	// MaxConns is how many connections one pool may hold.
	MaxConns int32
	// Auth is password or iam; empty: password.
	Auth string
	// Secret is the ARN or the name of a secret of AWS Secrets Manager with user name and password; empty: they are in the URL.
	Secret string
	// CA is a file of PEM certificates to which the server's must lead; empty or system: those of the operating system.
	CA string
	// Region is the AWS region of database and secret.
	Region string
}

// Databases are a function's ways into the database. Reader is Writer where the settings name no ReaderURL.
type Databases struct{ Writer, Reader *Database }

// Database is a way into the database. It is safe for concurrent use.
type Database struct {
	url      string
	ca       string
	roots    *x509.CertPool // nil: the operating system's
	identity identity       // nil: what the URL says
}

// identity is by what a function proves who it is.
type identity interface {
	// introduce completes the configuration of one new connection.
	introduce(ctx context.Context, conn *pgx.ConnConfig) error
}

// Open validates the settings and makes the ways that they name. It calls nobody: credentials of AWS are found as its SDK does, from the
// environment, and used at the first connection.
func Open(ctx context.Context, s Settings) (Databases, error) {
	var sdk aws.Config
	if s.Secret != "" || s.Auth == "iam" {
		var err error
		if sdk, err = awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(s.Region)); err != nil {
			return Databases{}, fmt.Errorf("read the AWS configuration: %w", err)
		}
	}
	return New(s, sdk)
}

// New is Open with a configuration of the AWS SDK.
func New(s Settings, sdk aws.Config) (Databases, error) {
	identity, err := s.identity(sdk)
	if err != nil {
		return Databases{}, err
	}
	roots, err := s.roots()
	if err != nil {
		return Databases{}, err
	}
	open := func(name, url string) (*Database, error) {
		d := &Database{url: url, ca: s.CA, roots: roots, identity: identity}
		if err := s.check(name, d); err != nil {
			return nil, err
		}
		return d, nil
	}
	writer, err := open("DATASTORAGE_DATABASE_URL", s.URL)
	if err != nil || s.ReaderURL == "" {
		return Databases{Writer: writer, Reader: writer}, err
	}
	reader, err := open("DATASTORAGE_DATABASE_READER_URL", s.ReaderURL)
	return Databases{Writer: writer, Reader: reader}, err
}

func (s Settings) identity(sdk aws.Config) (identity, error) {
	switch {
	case s.Auth != "" && s.Auth != "password" && s.Auth != "iam":
		return nil, errors.New("DATASTORAGE_DATABASE_AUTH must be password or iam")
	case s.Auth == "iam" && s.Secret != "":
		return nil, errors.New("DATASTORAGE_DATABASE_SECRET must not be set where DATASTORAGE_DATABASE_AUTH is iam")
	case s.Auth == "iam" && s.Region == "":
		return nil, errors.New("AWS_REGION must be set where DATASTORAGE_DATABASE_AUTH is iam")
	case s.Auth == "iam":
		return iam{region: s.Region, credentials: sdk.Credentials}, nil
	case s.Secret != "":
		return newSecret(s.Secret, sdk), nil
	}
	return nil, nil
}

func (s Settings) roots() (*x509.CertPool, error) {
	if s.CA == "" || s.CA == "system" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, fmt.Errorf("DATASTORAGE_DATABASE_CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("DATASTORAGE_DATABASE_CA: %s holds no PEM certificate", s.CA)
	}
	return roots, nil
}

// check holds a URL to the other settings. Errors never repeat it.
func (s Settings) check(name string, d *Database) error {
	pool, err := pgxpool.ParseConfig(d.url)
	if err != nil || d.url == "" {
		// The driver's message can hold parts of the URL.
		return fmt.Errorf("%s is not a PostgreSQL connection string", name)
	}
	if d.identity == nil && d.roots == nil {
		return nil
	}
	parsed, err := url.Parse(d.url)
	if err != nil || !strings.HasPrefix(parsed.Scheme, "postgres") {
		return fmt.Errorf("%s must be a URL, postgres://…, where DATASTORAGE_DATABASE_AUTH is iam, or DATASTORAGE_DATABASE_SECRET or DATASTORAGE_DATABASE_CA is set", name)
	}
	_, withPassword := parsed.User.Password()
	switch {
	case d.identity != nil && withPassword:
		return fmt.Errorf("%s must have no password where DATASTORAGE_DATABASE_AUTH is iam or DATASTORAGE_DATABASE_SECRET is set", name)
	case d.roots != nil && !verifies(pool.ConnConfig):
		return fmt.Errorf("%s must have sslmode=verify-full where DATASTORAGE_DATABASE_CA is set", name)
	case s.Auth != "iam":
		return nil
	case !verifies(pool.ConnConfig):
		// The token is sent as it is: whoever gets it is this function for a quarter of an hour.
		return fmt.Errorf("%s must have sslmode=verify-full where DATASTORAGE_DATABASE_AUTH is iam", name)
	case parsed.User.Username() == "" || strings.Contains(parsed.Host, ","):
		return fmt.Errorf("%s must name a user and one host where DATASTORAGE_DATABASE_AUTH is iam: a token is for these", name)
	}
	return nil
}

// verifies reports whether no connection is made but to a server whose certificate is good for its name, which is what verify-full means.
func verifies(conn *pgx.ConnConfig) bool {
	good := conn.TLSConfig != nil && !conn.TLSConfig.InsecureSkipVerify
	for _, fallback := range conn.Fallbacks {
		good = good && fallback.TLSConfig != nil && !fallback.TLSConfig.InsecureSkipVerify
	}
	return good
}

// Pool is the configuration of a pool on this database. Each new connection introduces itself anew.
func (d *Database) Pool() (*pgxpool.Config, error) {
	pool, err := pgxpool.ParseConfig(d.url)
	if err != nil {
		return nil, errors.New("access: not a PostgreSQL connection string")
	}
	if d.roots != nil {
		pool.ConnConfig.TLSConfig.RootCAs = d.roots
		for _, fallback := range pool.ConnConfig.Fallbacks {
			fallback.TLSConfig.RootCAs = d.roots
		}
	}
	if d.identity != nil {
		pool.BeforeConnect = d.identity.introduce
	}
	return pool, nil
}

// URL is a connection string that is good now, with what the function proves itself by: for a caller that connects within minutes and has
// no pool. It is a secret.
func (d *Database) URL(ctx context.Context) (string, error) {
	if d.identity == nil && d.roots == nil {
		return d.url, nil
	}
	conn, err := pgx.ParseConfig(d.url)
	if err != nil {
		return "", errors.New("access: not a PostgreSQL connection string")
	}
	complete, err := url.Parse(d.url)
	if err != nil {
		return "", errors.New("access: not a URL")
	}
	if d.identity != nil {
		if err := d.identity.introduce(ctx, conn); err != nil {
			return "", err
		}
		complete.User = url.UserPassword(conn.User, conn.Password)
	}
	if d.roots != nil {
		query := complete.Query()
		query.Set("sslrootcert", d.ca)
		complete.RawQuery = query.Encode()
	}
	return complete.String(), nil
}

// String hides the URLs.
func (s Settings) String() string {
	return fmt.Sprintf("{URL:[REDACTED] ReaderURL:[REDACTED] MaxConns:%d Auth:%s Secret:%s CA:%s Region:%s}", s.MaxConns, s.Auth, s.Secret, s.CA, s.Region)
}

// GoString hides the URLs as well.
func (s Settings) GoString() string { return s.String() }

// String hides everything.
func (d *Database) String() string { return "[REDACTED]" }

// GoString hides everything.
func (d *Database) GoString() string { return d.String() }
