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

// versionStages returns the stages of a secret's versions in the order in which they are tried. A
// rotation first gives the role the password of the pending version and then makes that version the
// current one (AWS Secrets Manager User Guide, "Lambda rotation functions"): between the two steps
// only the pending version is valid. If an administrator changes the secret before the role, only
// the previous version is valid in between.
func versionStages() []string { return []string{"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"} }

// readTimeout bounds reading a secret, including the SDK's retries.
const readTimeout = 3 * time.Second

// secretCredentials are a user name and a password in AWS Secrets Manager. They are read at the first
// connection and kept until the server refuses them.
type secretCredentials struct {
	client *secretsmanager.Client
	id     string

	mu sync.Mutex // guards the fields below
	// current is the login for the next connection; the zero login means that it must be read.
	current login
	// refused are the logins that the server refused most recently, at most one fewer than the
	// stages.
	refused []login
}

// login is the part of a secret that is used, in the format of RDS. Host, port and database come
// from the URL: a secret names the cluster, but the function may connect to a proxy.
type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func newSecretCredentials(id string, sdk aws.Config) *secretCredentials {
	client := secretsmanager.NewFromConfig(sdk, func(o *secretsmanager.Options) {
		o.RetryMaxAttempts = 2 // the store retries as well
	})
	return &secretCredentials{id: id, client: client}
}

func (s *secretCredentials) authenticate(ctx context.Context, conn *pgx.ConnConfig) error {
	used, err := s.currentLogin(ctx)
	if err != nil {
		return fmt.Errorf("read the database's secret %s: %w: %w", s.id, audit.ErrUnavailable, err)
	}
	conn.User, conn.Password = used.Username, used.Password
	onError := conn.OnPgError
	conn.OnPgError = func(c *pgconn.PgConn, e *pgconn.PgError) bool {
		if Refused(e) {
			s.forgetLogin(used)
		}
		return onError(c, e)
	}
	return nil
}

func (s *secretCredentials) currentLogin(ctx context.Context) (login, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != (login{}) {
		return s.current, nil
	}
	read, err := s.readLogin(ctx, versionStages()[0])
	if err != nil {
		return login{}, err
	}
	s.current = s.replaceRefused(ctx, read)
	return s.current, nil
}

// replaceRefused returns the login of the first stage that the server has not refused, or current
// if it has refused them all.
func (s *secretCredentials) replaceRefused(ctx context.Context, current login) login {
	if !slices.Contains(s.refused, current) {
		return current
	}
	for _, stage := range versionStages()[1:] {
		if other, err := s.readLogin(ctx, stage); err == nil && !slices.Contains(s.refused, other) {
			return other
		}
	}
	return current
}

// forgetLogin makes the next connection read the secret again, unless another connection has
// replaced the login already.
func (s *secretCredentials) forgetLogin(used login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == used {
		s.current, s.refused = login{}, append(s.refused, used)
		s.refused = s.refused[max(0, len(s.refused)-len(versionStages())+1):]
	}
}

func (s *secretCredentials) readLogin(ctx context.Context, stage string) (login, error) {
	value, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.id, VersionStage: &stage})
	if err != nil {
		return login{}, err
	}
	var read login
	err = json.Unmarshal([]byte(aws.ToString(value.SecretString)), &read)
	if err != nil || read.Username == "" || read.Password == "" {
		// The decoder's message can hold parts of the secret.
		return login{}, errors.New("not a JSON object with username and password")
	}
	return read, nil
}

// Refused reports whether the server refused a password or a token (SQLSTATE class 28). After a
// rotation, or if a token expired in transit, the next connection uses new credentials.
func Refused(err error) bool {
	server, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(server.Code, "28")
}
