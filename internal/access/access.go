// Package access authenticates connections to the database: the server by its certificate, the
// function by a password in the URL, a Secrets Manager secret or an IAM token. It does not depend
// on what the database stores.
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

// Databases are the endpoints of a function. Reader equals Writer if the settings have no
// ReaderURL.
type Databases struct {
	Writer, Reader *Database
	// MaxConns is the maximum number of connections in a pool.
	MaxConns int32
}

// Database is one endpoint of the database. It is safe for concurrent use.
type Database struct {
	url         string
	ca          string
	roots       *x509.CertPool // nil means those of the operating system
	credentials credentials    // nil means those in the URL
}

// credentials authenticate a function at the database.
type credentials interface {
	// authenticate sets the credentials of a new connection.
	authenticate(ctx context.Context, conn *pgx.ConnConfig) error
}

// Open validates the settings and makes the endpoints. It does not connect. The AWS SDK finds its
// credentials in the environment and uses them at the first connection.
func Open(ctx context.Context, s Settings) (Databases, error) {
	var sdk aws.Config
	if s.Secret != "" || s.IAM {
		var err error
		if sdk, err = awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(s.Region)); err != nil {
			return Databases{}, fmt.Errorf("read the AWS configuration: %w", err)
		}
	}
	return New(s, sdk)
}

// New is like Open, with the given configuration of the AWS SDK.
func New(s Settings, sdk aws.Config) (Databases, error) {
	credentials, err := s.newCredentials(sdk)
	if err != nil {
		return Databases{}, err
	}
	roots, err := s.readRootCertificates()
	if err != nil {
		return Databases{}, err
	}
	open := func(variable, url string) (*Database, error) {
		d := &Database{url: url, ca: s.CA, roots: roots, credentials: credentials}
		if err := s.checkDatabaseURL(variable, d); err != nil {
			return nil, err
		}
		return d, nil
	}
	writer, err := open("DATASTORAGE_DATABASE_URL", s.URL)
	if err != nil || s.ReaderURL == "" {
		return Databases{Writer: writer, Reader: writer, MaxConns: s.MaxConns}, err
	}
	reader, err := open("DATASTORAGE_DATABASE_READER_URL", s.ReaderURL)
	return Databases{Writer: writer, Reader: reader, MaxConns: s.MaxConns}, err
}

func (s Settings) newCredentials(sdk aws.Config) (credentials, error) {
	switch {
	case s.IAM && s.Secret != "":
		return nil, errors.New("DATASTORAGE_DATABASE_SECRET cannot be combined with DATASTORAGE_DATABASE_AUTH=iam")
	case s.IAM && s.Region == "":
		return nil, errors.New("AWS_REGION must be set for DATASTORAGE_DATABASE_AUTH=iam")
	case s.IAM:
		return iamCredentials{region: s.Region, credentials: sdk.Credentials}, nil
	case s.Secret != "":
		return newSecretCredentials(s.Secret, sdk), nil
	}
	return nil, nil
}

// readRootCertificates returns the trusted root certificates, or nil for those of the operating system.
func (s Settings) readRootCertificates() (*x509.CertPool, error) {
	if s.CA == "" || s.CA == "system" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, fmt.Errorf("DATASTORAGE_DATABASE_CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("DATASTORAGE_DATABASE_CA: no PEM certificate in %s", s.CA)
	}
	return roots, nil
}

// checkDatabaseURL checks a URL against the other settings. Errors never repeat it.
func (s Settings) checkDatabaseURL(variable string, d *Database) error {
	pool, err := pgxpool.ParseConfig(d.url)
	if err != nil || d.url == "" {
		// The driver's message can hold parts of the URL.
		return fmt.Errorf("%s is not a PostgreSQL connection string", variable)
	}
	if d.credentials == nil && d.roots == nil {
		return nil
	}
	parsed, err := url.Parse(d.url)
	if err != nil || !strings.HasPrefix(parsed.Scheme, "postgres") {
		return fmt.Errorf("%s must be a URL, postgres://…, for DATASTORAGE_DATABASE_AUTH=iam, "+
			"DATASTORAGE_DATABASE_SECRET and DATASTORAGE_DATABASE_CA", variable)
	}
	_, hasPassword := parsed.User.Password()
	switch {
	case d.credentials != nil && hasPassword:
		return fmt.Errorf("%s must not have a password with DATASTORAGE_DATABASE_AUTH=iam or "+
			"DATASTORAGE_DATABASE_SECRET", variable)
	case d.roots != nil && !verifiesServer(pool.ConnConfig):
		return fmt.Errorf("%s must have sslmode=verify-full for DATASTORAGE_DATABASE_CA", variable)
	case !s.IAM:
		return nil
	case !verifiesServer(pool.ConnConfig):
		// An unverified server could log in with the token for 15 minutes.
		return fmt.Errorf("%s must have sslmode=verify-full for DATASTORAGE_DATABASE_AUTH=iam", variable)
	case parsed.User.Username() == "" || strings.Contains(parsed.Host, ","):
		return fmt.Errorf("%s must have a user and a single host for DATASTORAGE_DATABASE_AUTH=iam: "+
			"a token is valid for one of each", variable)
	}
	return nil
}

// verifiesServer reports whether every connection verifies the server's certificate and host name,
// as sslmode=verify-full does.
func verifiesServer(conn *pgx.ConnConfig) bool {
	verified := conn.TLSConfig != nil && !conn.TLSConfig.InsecureSkipVerify
	for _, fallback := range conn.Fallbacks {
		verified = verified && fallback.TLSConfig != nil && !fallback.TLSConfig.InsecureSkipVerify
	}
	return verified
}

// Pool returns the configuration of a pool on this endpoint. Credentials are fetched for every new
// connection.
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
	if d.credentials != nil {
		pool.BeforeConnect = d.credentials.authenticate
	}
	return pool, nil
}

// URL returns a connection string with the current credentials, for a caller without a pool that
// connects within minutes. It is a secret.
func (d *Database) URL(ctx context.Context) (string, error) {
	if d.credentials == nil && d.roots == nil {
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
	if d.credentials != nil {
		if err := d.credentials.authenticate(ctx, conn); err != nil {
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

// String hides the URL.
func (d *Database) String() string { return "[REDACTED]" }

// GoString hides the URL.
func (d *Database) GoString() string { return d.String() }
