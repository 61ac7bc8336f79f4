package access_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

// vault is Secrets Manager with one secret, behind a proxy that counts requests and can fail them.
type vault struct {
	t      *testing.T
	client *secretsmanager.Client
	id     string
	sdk    aws.Config // through the proxy
	reads  atomic.Int32
	away   atomic.Bool
}

func newVault(t *testing.T, value string) *vault {
	t.Helper()
	v := &vault{t: t, sdk: secrets.config(t)}
	v.client = secretsmanager.NewFromConfig(v.sdk)
	made, err := v.client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("database/" + rand.Text()), SecretString: &value,
	})
	if err != nil {
		t.Fatal(err)
	}
	v.id = *made.ARN
	target, err := url.Parse(*v.sdk.BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.reads.Add(1)
		if v.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	v.sdk.BaseEndpoint = &front.URL
	return v
}

// put adds a version of the secret with the given stage.
func (v *vault) put(value, stage string) (version string) {
	v.t.Helper()
	made, err := v.client.PutSecretValue(v.t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &v.id, SecretString: &value, VersionStages: []string{stage},
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return *made.VersionId
}

// promote makes the pending version current, the last step of a rotation.
func (v *vault) promote(version string) {
	v.t.Helper()
	before, err := v.client.GetSecretValue(v.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &v.id})
	if err == nil {
		_, err = v.client.UpdateSecretVersionStage(v.t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: &v.id, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &version, RemoveFromVersionId: before.VersionId,
		})
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

// managedSecret returns the value of a secret in the format of RDS, with a host that must not be used.
func managedSecret(user, password string) string {
	value, _ := json.Marshal(map[string]any{
		"username": user, "password": password, "engine": "postgres", "host": "cluster.invalid", "port": 1, "dbname": "other",
	})
	return string(value)
}

// login is a role of one test with the writer's privileges.
type login struct {
	t    *testing.T
	db   *postgrestest.Database
	name string
	// password is the current one.
	password string
}

func newLogin(t *testing.T, db *postgrestest.Database) *login {
	t.Helper()
	l := &login{t: t, db: db, name: "rotating_" + strings.ToLower(rand.Text()), password: rand.Text()}
	l.exec(fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s' IN ROLE %s", l.name, l.password, pgserver.WriterRole))
	return l
}

func (l *login) exec(sql string) {
	l.t.Helper()
	conn, err := pgx.Connect(l.t.Context(), l.db.SuperuserURL())
	if err != nil {
		l.t.Fatal(err)
	}
	_, err = conn.Exec(l.t.Context(), sql)
	if err := errors.Join(err, conn.Close(l.t.Context())); err != nil {
		l.t.Fatal(err)
	}
}

// change changes the role's password.
func (l *login) change(password string) {
	l.t.Helper()
	l.password = password
	l.exec(fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", l.name, password))
}

// disconnect terminates the role's sessions.
func (l *login) disconnect() {
	l.t.Helper()
	l.exec(fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '%s'", l.name))
}

// url returns a URL without a password, and with a user other than the secret's.
func (l *login) url() string {
	l.t.Helper()
	target, err := url.Parse(l.db.WriterURL())
	if err != nil {
		l.t.Fatal(err)
	}
	target.User = url.User("other")
	return target.String()
}

// TestSecret checks that the secret is read once, at the first connection, and that Secrets Manager may
// be unavailable before and after.
func TestSecret(t *testing.T) {
	t.Parallel()
	user := newLogin(t, postgrestest.New(t))
	vault := newVault(t, managedSecret(user.name, user.password))
	vault.away.Store(true)
	settings := access.Settings{URL: user.url(), Secret: vault.id, Region: "us-east-1"}
	store := openStore(t, settings, vault.sdk)
	if err := queryNothing(t.Context(), store); !errors.Is(err, audit.ErrUnavailable) || vault.reads.Load() == 0 {
		t.Errorf("without Secrets Manager: %v", err)
	}
	vault.away.Store(false)
	vault.reads.Store(0)
	for range 3 {
		if err := queryNothing(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		user.disconnect()
	}
	if n := vault.reads.Load(); n != 1 {
		t.Errorf("the secret was read %d times", n)
	}
	vault.away.Store(true)
	if err := queryNothing(t.Context(), store); err != nil {
		t.Errorf("a new connection while Secrets Manager is unavailable: %v", err)
	}
}

// TestSecretInURL checks the connection string for migrate.
func TestSecretInURL(t *testing.T) {
	t.Parallel()
	db, authority := postgrestest.New(t), postgrestest.NewAuthority(t)
	user := newLogin(t, db)
	vault := newVault(t, managedSecret(user.name, user.password))
	proxy := postgrestest.NewProxy(t, postgrestest.ProxyConfig{
		Target: db.AdminURL(), Certificate: authority.Certificate(t, "localhost"),
		Admit: func(name, password string) bool { return name == user.name && password == user.password },
	})
	databases, err := access.New(access.Settings{
		URL: proxy.URL(t, pgserver.AdminRole, "verify-full"), Secret: vault.id, CA: authority.File,
	}, vault.sdk)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		address, err := databases.Writer.URL(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if pending, err := migrations.Pending(t.Context(), address); err != nil || len(pending) != 0 {
			t.Errorf("%v, %v", pending, err)
		}
	}
}

// TestInvalidSecret checks secrets without a valid login. Errors do not quote them.
func TestInvalidSecret(t *testing.T) {
	t.Parallel()
	user := newLogin(t, postgrestest.New(t))
	for _, value := range []string{"hunter2", `{"username":"hunter2"}`, `{"password":"hunter2"}`, `["hunter2"]`, `{"username":1,"password":"hunter2"}`} {
		vault := newVault(t, value)
		err := queryNothing(t.Context(), openStore(t, access.Settings{URL: user.url(), Secret: vault.id}, vault.sdk))
		if !errors.Is(err, audit.ErrUnavailable) || !strings.Contains(err.Error(), vault.id) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", value, err)
		}
	}
	vault := newVault(t, managedSecret(user.name, "not "+user.password))
	err := queryNothing(t.Context(), openStore(t, access.Settings{URL: user.url(), Secret: vault.id}, vault.sdk))
	if !errors.Is(err, audit.ErrUnavailable) || !access.Refused(err) || strings.Contains(err.Error(), user.password) {
		t.Errorf("a wrong password: %v", err)
	}
	missing := access.Settings{URL: user.url(), Secret: "no-such-secret"}
	err = queryNothing(t.Context(), openStore(t, missing, vault.sdk))
	if !errors.Is(err, audit.ErrUnavailable) || !strings.Contains(err.Error(), "no-such-secret") {
		t.Errorf("a missing secret: %v", err)
	}
}

// traffic writes and reads on several stores, like several sandboxes, until it is stopped.
type traffic struct {
	stop    chan struct{}
	group   sync.WaitGroup
	written []atomic.Int32 // by each store
}

func startTraffic(t *testing.T, stores []*postgres.Store) *traffic {
	t.Helper()
	all := &traffic{stop: make(chan struct{}), written: make([]atomic.Int32, len(stores))}
	for i, store := range stores {
		all.group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-all.stop:
					return
				default:
				}
				if err := writeRemediation(t.Context(), store, fmt.Sprintf("sandbox-%d-%d", i, n)); err != nil {
					t.Errorf("write %d of sandbox %d: %v", n, i, err)
				}
				all.written[i].Add(1)
				if err := queryNothing(t.Context(), store); err != nil {
					t.Errorf("read %d of sandbox %d: %v", n, i, err)
				}
			}
		})
	}
	return all
}

// awaitWrites waits until each store has written five more times.
func (f *traffic) awaitWrites(t *testing.T) {
	t.Helper()
	for i := range f.written {
		until := f.written[i].Load() + 5
		for deadline := time.Now().Add(5 * time.Minute); f.written[i].Load() < until; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no writes for 5 minutes")
			}
		}
	}
}

func (f *traffic) end() (written int32) {
	close(f.stop)
	f.group.Wait()
	for i := range f.written {
		written += f.written[i].Load()
	}
	return written
}

func writeRemediation(ctx context.Context, store *postgres.Store, id string) error {
	entry, err := audit.NewEntry(&audit.Remediation{
		RemediationID: id, Name: "KubePodCrashLooping", Namespace: "shop", ActionType: "restart_pod", Severity: "unknown",
		Phase: audit.PhasePending, Status: "pending", Metadata: "{}", StartTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}, "tester", time.Now())
	if err != nil {
		return err
	}
	written, err := store.Append(ctx, []audit.Entry{entry}, nil)
	if err == nil && written[0].Replayed {
		err = errors.New("was stored before")
	}
	return errors.Join(err, func() error {
		if len(written) == 1 {
			return written[0].Err
		}
		return nil
	}())
}

// TestRotation changes the password while four sandboxes write and read, and ends all sessions in
// between: three times in the order of a rotation function, then with the secret changed before the
// role. No request fails, and no write is duplicated or lost.
func TestRotation(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	user := newLogin(t, db)
	vault := newVault(t, managedSecret(user.name, user.password))
	stores := make([]*postgres.Store, 4)
	for i := range stores {
		stores[i] = openStore(t, access.Settings{URL: user.url(), Secret: vault.id}, vault.sdk)
	}
	all := startTraffic(t, stores)
	all.awaitWrites(t)
	for range 3 {
		next := rand.Text()
		version := vault.put(managedSecret(user.name, next), "AWSPENDING")
		user.change(next)
		user.disconnect()
		all.awaitWrites(t) // with the pending version
		vault.promote(version)
		user.disconnect()
		all.awaitWrites(t)
	}
	next := rand.Text()
	vault.put(managedSecret(user.name, next), "AWSCURRENT")
	user.change(next)
	user.disconnect()
	all.awaitWrites(t)
	sent := all.end()
	conn, err := pgx.Connect(t.Context(), db.ReaderURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var records, journal int32
	err = conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM remediation_audit), (SELECT count(*) FROM audit_event)").Scan(&records, &journal)
	if err != nil || records != sent || journal != sent {
		t.Errorf("%d records and %d journal entries of %d writes: %v", records, journal, sent, err)
	}
	t.Logf("%d writes, the secret was read %d times", sent, vault.reads.Load())
}
