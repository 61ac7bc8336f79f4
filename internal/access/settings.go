package access

import (
	"fmt"

	"github.com/datastorage-service/datastorage/internal/config"
)

const maxConns = 100

// Settings configure access to the database. Errors name the variables of invalid settings.
type Settings struct {
	// URL is DATASTORAGE_DATABASE_URL:
	// postgres://user:password@host:port/database?sslmode=verify-full. Required. A secret.
	URL string
	// ReaderURL is DATASTORAGE_DATABASE_READER_URL: the endpoint of eventually consistent reads.
	// Default URL. A secret.
	ReaderURL string
	// MaxConns is DATASTORAGE_DATABASE_MAX_CONNS: connections of one sandbox to each endpoint, 1 to
	// 100. Default 2 for each concurrent invocation, because a hybrid search uses two at once.
	MaxConns int32
	// IAM is DATASTORAGE_DATABASE_AUTH=iam: each connection is authenticated by an IAM token.
	// Default false: by a password.
	IAM bool
	// Secret is DATASTORAGE_DATABASE_SECRET: ARN or name of the secret in AWS Secrets Manager that
	// holds user name and password. Default none: the URL has them.
	Secret string
	// CA is DATASTORAGE_DATABASE_CA: a PEM file of trusted root certificates. Empty or "system"
	// means those of the operating system. Default system.
	CA string
	// Region is AWS_REGION, which Lambda sets: the region of the database and the secret. Required with
	// IAM.
	Region string
}

// ReadSettings reads the settings. r collects the errors of missing and invalid variables.
func ReadSettings(r *config.Reader) Settings {
	return Settings{
		URL:       r.Required("DATASTORAGE_DATABASE_URL"),
		ReaderURL: r.Optional("DATASTORAGE_DATABASE_READER_URL"),
		MaxConns:  int32(r.Integer("DATASTORAGE_DATABASE_MAX_CONNS", r.PerInvocation(2, maxConns), 1, maxConns)),
		IAM:       r.OneOf("DATASTORAGE_DATABASE_AUTH", "password", "iam") == "iam",
		Secret:    r.Optional("DATASTORAGE_DATABASE_SECRET"),
		CA:        r.Optional("DATASTORAGE_DATABASE_CA"),
		Region:    r.Optional("AWS_REGION"),
	}
}

// String hides the URLs.
func (s Settings) String() string {
	return fmt.Sprintf("{URL:[REDACTED] ReaderURL:[REDACTED] MaxConns:%d IAM:%v Secret:%s CA:%s Region:%s}",
		s.MaxConns, s.IAM, s.Secret, s.CA, s.Region)
}

// GoString hides the URLs.
func (s Settings) GoString() string { return s.String() }
