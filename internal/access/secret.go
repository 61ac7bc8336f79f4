package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// The stages of a secret's versions. A rotation first gives the role the password of the pending version and then makes that the current one
// (AWS Secrets Manager User Guide, "Lambda rotation functions"): between the two only the pending one opens.
const (
	current = "AWSCURRENT"
	pending = "AWSPENDING"
)

// readTimeout bounds the reading of a secret, with the SDK's own retries.
const readTimeout = 3 * time.Second

// secret is a user name and a password in AWS Secrets Manager. They are read at the first connection and kept until the server refuses them.
type secret struct {
	client *secretsmanager.Client
	id     string

	mu sync.Mutex
	// known is what the next connection introduces itself by; the zero login is none.
	known login
	// refused is what the server refused last.
	refused login
}

// login is the part of a secret that counts, as RDS writes it. Host, port and database are the URL's: a secret names the cluster, which is not
// where a function connects that uses a proxy.
type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func newSecret(id string, sdk aws.Config) *secret {
	return &secret{client: secretsmanager.NewFromConfig(sdk), id: id}
}

func (s *secret) introduce(ctx context.Context, conn *pgx.ConnConfig) error {
	by, err := s.login(ctx)
	if err != nil {
		return fmt.Errorf("read the database's secret %s: %w: %w", s.id, audit.ErrUnavailable, err)
	}
	conn.User, conn.Password = by.Username, by.Password
	onError := conn.OnPgError
	conn.OnPgError = func(c *pgconn.PgConn, e *pgconn.PgError) bool {
		if Refused(e) {
			s.forget(by)
		}
		return onError(c, e)
	}
	return nil
}

func (s *secret) login(ctx context.Context) (login, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known != (login{}) {
		return s.known, nil
	}
	by, err := s.read(ctx, current)
	if err != nil {
		return login{}, err
	}
	if by == s.refused {
		if next, err := s.read(ctx, pending); err == nil {
			by = next
		}
	}
	s.known = by
	return by, nil
}

// forget makes the next connection read the secret anew, unless another one has seen to that.
func (s *secret) forget(by login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == by {
		s.known, s.refused = login{}, by
	}
}

func (s *secret) read(ctx context.Context, stage string) (login, error) {
	answer, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.id, VersionStage: &stage})
	if err != nil {
		return login{}, err
	}
	var by login
	if err := json.Unmarshal([]byte(aws.ToString(answer.SecretString)), &by); err != nil || by.Username == "" || by.Password == "" {
		// The decoder's message can hold parts of the secret.
		return login{}, errors.New("it is no JSON object with username and password")
	}
	return by, nil
}

// Refused reports an error of the server that says: not by this password or token. With a secret that has been rotated, or a token that came
// too late, the next connection has another.
func Refused(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && strings.HasPrefix(server.Code, "28")
}
