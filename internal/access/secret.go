package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// stages are those of a secret's versions, in the order in which they are tried. A rotation first gives the role the password of the pending version and
// then makes that the current one (AWS Secrets Manager User Guide, "Lambda rotation functions"): between the two only the pending one opens. Who
// changes the secret first and the role then leaves a moment in which only the previous one does.
func stages() []string { return []string{"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"} }

// readTimeout bounds the reading of a secret, with the SDK's own retries.
const readTimeout = 3 * time.Second

// secret is a user name and a password in AWS Secrets Manager. They are read at the first connection and kept until the server refuses them.
type secret struct {
	client *secretsmanager.Client
	id     string

	mu sync.Mutex
	// known is what the next connection introduces itself by; the zero login is none.
	known login
	// refused are what the server refused last, at most one less than there are stages.
	refused []login
}

// login is the part of a secret that counts, as RDS writes it. Host, port and database are the URL's: a secret names the cluster, which is not
// where a function connects that uses a proxy.
type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func newSecret(id string, sdk aws.Config) *secret {
	// The store tries again, too.
	return &secret{id: id, client: secretsmanager.NewFromConfig(sdk, func(o *secretsmanager.Options) { o.RetryMaxAttempts = 2 })}
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
	by, err := s.read(ctx, stages()[0])
	if err != nil {
		return login{}, err
	}
	s.known = s.unless(ctx, by)
	return s.known, nil
}

// unless answers the login of the first stage that the server has not just refused, and the current one when it has refused all.
func (s *secret) unless(ctx context.Context, now login) login {
	if !slices.Contains(s.refused, now) {
		return now
	}
	for _, stage := range stages()[1:] {
		if by, err := s.read(ctx, stage); err == nil && !slices.Contains(s.refused, by) {
			return by
		}
	}
	return now
}

// forget makes the next connection read the secret anew, unless another one has seen to that.
func (s *secret) forget(by login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == by {
		s.known, s.refused = login{}, append(s.refused, by)
		s.refused = s.refused[max(0, len(s.refused)-len(stages())+1):]
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
