package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/secrets"
)

// secretCredentials are a user name and a password in AWS Secrets Manager. They are read at the first
// connection and kept until the server refuses them.
type secretCredentials struct {
	secret *secrets.Secret[login]
	id     string
}

// login is the part of a secret that is used, in the format of RDS. Host, port and database come
// from the URL: a secret names the cluster, but the function may connect to a proxy.
type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func newSecretCredentials(id string, sdk aws.Config) *secretCredentials {
	return &secretCredentials{id: id, secret: secrets.New(sdk, secrets.Config[login]{ID: id, Decode: decodeLogin})}
}

func (s *secretCredentials) authenticate(ctx context.Context, conn *pgx.ConnConfig) error {
	used, err := s.secret.Value(ctx)
	if err != nil {
		return fmt.Errorf("read the database's secret %s: %w: %w", s.id, audit.ErrUnavailable, err)
	}
	conn.User, conn.Password = used.Username, used.Password
	onError := conn.OnPgError
	conn.OnPgError = func(c *pgconn.PgConn, e *pgconn.PgError) bool {
		if Refused(e) {
			s.secret.Refuse(used)
		}
		return onError(c, e)
	}
	return nil
}

func decodeLogin(text string) (login, error) {
	var decoded login
	err := json.Unmarshal([]byte(text), &decoded)
	if err != nil || decoded.Username == "" || decoded.Password == "" {
		// The decoder's message can hold parts of the secret.
		return login{}, errors.New("not a JSON object with username and password")
	}
	return decoded, nil
}

// Refused reports whether the server refused a password or a token (SQLSTATE class 28). After a
// rotation, or if a token expired in transit, the next connection uses new credentials.
func Refused(err error) bool {
	server, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(server.Code, "28")
}
