package endtoend_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

const (
	stressWriters    = 64
	stressWrites     = 20_000
	stressSignatures = 200
	stressKills      = 5
)

// stressRecord is the i-th distinct record: the same content however often it is sent.
func stressRecord(i int) client.RemediationInput {
	record := minimal(fmt.Sprintf("stress-%05d", i))
	record.ErrorMessage = pointer(fmt.Sprintf("stress kind %s of trouble", word(i%stressSignatures)))
	return record
}

// word spells a number in letters, which signatures keep apart.
func word(n int) string {
	letters := ""
	for ; n >= 0; n = n/26 - 1 {
		letters = string(rune('a'+n%26)) + letters
	}
	return "q" + letters + "x"
}

// TestStressWhilePostgresIsKilled lets 64 writers make 20,000 writes, a tenth of them again what was or is being written, while
// PostgreSQL is killed and started again five times. Every write that was acknowledged must be there once.
func TestStressWhilePostgresIsKilled(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	stack := endtoend.New(t, endtoend.Options{Server: server, Env: map[string]string{
		"DATASTORAGE_DATABASE_MAX_CONNS": "16", "DATASTORAGE_REQUEST_TIMEOUT": "5s",
	}})
	acknowledged := &receipts{byID: map[string]string{}}
	var done atomic.Int64
	killed := make(chan []error, 1)
	go func() { killed <- killRepeatedly(t.Context(), server, stack.Database, &done) }()
	started := time.Now()
	gaveUp := writeAll(t, stack.URL, acknowledged, &done)
	for _, err := range <-killed {
		t.Error(err)
	}
	t.Logf("%d writes by %d writers in %v through %d kills; %d were given up by the client",
		stressWrites, stressWriters, time.Since(started).Round(time.Millisecond), stressKills, gaveUp)
	checkStress(t, stack.Database, acknowledged)
}

// receipts are what the client was promised.
type receipts struct {
	mu   sync.Mutex
	byID map[string]string // remediation id → event id
}

// add reports whether the receipt agrees with an earlier one for the same record.
func (r *receipts) add(written *client.Written) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	event, known := r.byID[written.RemediationID]
	r.byID[written.RemediationID] = written.EventID
	return !known || event == written.EventID
}

func writeAll(t *testing.T, url string, acknowledged *receipts, done *atomic.Int64) (gaveUp int64) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: stressWriters}
	defer transport.CloseIdleConnections()
	api, err := client.New(url, client.WithHTTPClient(&http.Client{Transport: transport}),
		client.WithRetry(client.RetryPolicy{Attempts: 12, BaseDelay: 50 * time.Millisecond, MaxDelay: 2 * time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	jobs := make(chan int)
	var failed atomic.Int64
	var writers sync.WaitGroup
	for range stressWriters {
		writers.Go(func() {
			for i := range jobs {
				written, err := api.CreateRemediation(t.Context(), stressRecord(i))
				done.Add(1)
				switch {
				case err != nil:
					failed.Add(1)
				case !acknowledged.add(written):
					t.Errorf("%s was acknowledged with two events", written.RemediationID)
				}
			}
		})
	}
	for i := range stressWrites {
		sent := i - i/10
		if i%10 == 9 {
			jobs <- rand.IntN(sent) // one that was sent before and may still be under way
			continue
		}
		jobs <- sent
	}
	close(jobs)
	writers.Wait()
	return failed.Load()
}

// killRepeatedly kills the server each time another sixth of the writes is done, and starts it again a moment later. Before each kill
// it asks for deadlocks, because a crash forgets them.
func killRepeatedly(ctx context.Context, server *local.Postgres, database *postgrestest.Database, done *atomic.Int64) []error {
	var faults []error
	for kill := range stressKills {
		for done.Load() < int64(stressWrites/(stressKills+1)*(kill+1)) && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		if err := noDeadlocks(ctx, database); err != nil {
			faults = append(faults, err)
		}
		if err := server.Kill(); err != nil {
			faults = append(faults, fmt.Errorf("kill %d: %w", kill, err))
		}
		time.Sleep(100 * time.Millisecond)
		if err := server.Restart(ctx); err != nil {
			return append(faults, fmt.Errorf("restart %d: %w", kill, err))
		}
	}
	return faults
}

func noDeadlocks(ctx context.Context, database *postgrestest.Database) error {
	conn, err := pgx.Connect(ctx, database.AdminURL())
	if err != nil {
		return fmt.Errorf("ask for deadlocks: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var deadlocks int
	err = conn.QueryRow(ctx, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(&deadlocks)
	if err == nil && deadlocks > 0 {
		err = fmt.Errorf("%d deadlocks", deadlocks)
	}
	return err
}

func checkStress(t *testing.T, database *postgrestest.Database, acknowledged *receipts) {
	t.Helper()
	if err := noDeadlocks(t.Context(), database); err != nil {
		t.Error(err)
	}
	conn, err := pgx.Connect(t.Context(), database.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), `
		SELECT r.remediation_id, r.event_id::text, count(e.event_id), count(DISTINCT e.event_id)
		FROM remediation_audit r LEFT JOIN audit_event e ON e.remediation_id = r.remediation_id AND e.event_id = r.event_id
		GROUP BY r.remediation_id, r.event_id`)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]string{}
	for rows.Next() {
		var id, event string
		var entries, distinct int
		if err := rows.Scan(&id, &event, &entries, &distinct); err != nil {
			t.Fatal(err)
		}
		if there[id] != "" || entries != 1 || distinct != 1 {
			t.Errorf("%s: %d journal entries", id, entries)
		}
		there[id] = event
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for id, event := range acknowledged.byID {
		if there[id] != event {
			t.Errorf("%s was acknowledged with event %s; there is %q", id, event, there[id])
		}
	}
	var journal, signatures, vectors int
	err = conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM audit_event), (SELECT count(*) FROM signature), (SELECT count(*) FROM embedding)").
		Scan(&journal, &signatures, &vectors)
	if err != nil {
		t.Fatal(err)
	}
	if journal != len(there) || signatures != stressSignatures || vectors > signatures {
		t.Errorf("%d records, %d journal entries, %d signatures, %d vectors", len(there), journal, signatures, vectors)
	}
	t.Logf("%d acknowledged, %d there, %d journal entries, %d signatures, %d vectors",
		len(acknowledged.byID), len(there), journal, signatures, vectors)
}
