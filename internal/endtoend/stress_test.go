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

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// The size of the stress test. Every tenth write repeats another one, which may still be in progress.
const (
	stressWriters    = 64
	stressWrites     = 20_000
	stressDistinct   = 18_000
	stressSignatures = 500
	stressKills      = 5
	stressBatch      = 25
)

// TestStressUnderFaults has 64 writers send 20,000 records, alone and in batches, while PostgreSQL is killed and
// restarted five times. Acknowledged records are stored once, in the table and in the journal, as acknowledged; all
// others are stored once or not at all. Every signature has one vector, and there is no deadlock.
func TestStressUnderFaults(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes 20,000 records while the server is killed")
	}
	server := postgrestest.NewServer(t)
	stack := endtoend.New(t, endtoend.Options{Server: server, Env: map[string]string{"DATASTORAGE_DATABASE_MAX_CONNS": "16"}})
	s := &stress{t: t, stack: stack, api: persistent(t, stack), acknowledged: map[string]acknowledgement{}}
	started := time.Now()
	work := s.work()
	var running sync.WaitGroup
	for range stressWriters {
		running.Go(func() { s.write(work) })
	}
	s.kill(server)
	running.Wait()
	t.Logf("%d writes in %v: %d records acknowledged, %d requests given up, %d kills, %d requests sent",
		stressWrites, time.Since(started).Round(time.Millisecond), len(s.acknowledged), s.givenUp.Load(), stressKills, s.requests.Load())
	s.noDeadlocks()
	s.everythingIsThereOnce()
}

// persistent returns a client that retries for long enough to outlast most restarts of the database.
func persistent(t *testing.T, stack *endtoend.Stack) *client.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: stressWriters}
	t.Cleanup(transport.CloseIdleConnections)
	api, err := client.New(stack.URL, client.WithHTTPClient(&http.Client{Transport: transport}),
		client.WithRetry(client.RetryPolicy{Attempts: 4, BaseDelay: 50 * time.Millisecond, MaxDelay: 3 * time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// stress is the state that the writers share.
type stress struct {
	t     *testing.T
	stack *endtoend.Stack
	api   *client.Client

	written, givenUp, requests atomic.Int64

	mu           sync.Mutex
	acknowledged map[string]acknowledgement
}

// acknowledgement is the content of the responses for one record.
type acknowledgement struct {
	eventID, leafHash string
	// created counts the responses without "replayed".
	created int
}

// work returns a channel of record numbers: one, or several for a batch. A repetition closely follows its original.
func (s *stress) work() <-chan []int {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same order every time
	var numbers []int
	for i, number := range random.Perm(stressDistinct) {
		numbers = append(numbers, number)
		if i%9 == 8 {
			numbers = append(numbers, numbers[len(numbers)-1-random.IntN(min(len(numbers), stressWriters))])
		}
	}
	work := make(chan []int)
	go func() {
		defer close(work)
		for size := 1; len(numbers) > 0; size = pickByIndex(random.IntN(50), stressBatch, 1, 1, 1, 1, 1, 1, 1, 1, 1) {
			size = min(size, len(numbers))
			work <- numbers[:size]
			numbers = numbers[size:]
		}
	}()
	return work
}

// stressRecord is the record with this number.
func stressRecord(number int) client.RemediationInput {
	record := numberedRecord(number)
	record.RemediationID = fmt.Sprintf("stress-%d", number)
	record.ErrorMessage = new("trouble with " + numberAsLetters(number%stressSignatures))
	record.Name, record.ActionType, record.TargetResource = "Stress", "restart_pod", nil
	return record
}

// write sends the work until the channel is empty, and records the acknowledgements.
func (s *stress) write(work <-chan []int) {
	for numbers := range work {
		var records []client.RemediationInput
		for _, number := range numbers {
			records = append(records, stressRecord(number))
		}
		s.requests.Add(1)
		if err := s.send(records); err != nil {
			s.givenUp.Add(1)
		}
		s.written.Add(int64(len(numbers)))
	}
}

func (s *stress) send(records []client.RemediationInput) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if len(records) == 1 {
		written, err := s.api.CreateRemediation(ctx, records[0])
		if err == nil {
			s.acknowledge(records[0].RemediationID, written.EventID, written.LeafHash, written.Replayed)
		}
		return err
	}
	results, err := s.api.CreateRemediations(ctx, records)
	for _, result := range results {
		if result.Status > 201 {
			s.t.Errorf("record %s of a batch: %d %v", result.RemediationID, result.Status, result.Err())
			continue
		}
		s.acknowledge(result.RemediationID, result.EventID, result.LeafHash, result.Replayed())
	}
	return err
}

func (s *stress) acknowledge(id, eventID, leafHash string, replayed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, again := s.acknowledged[id]
	if again && (before.eventID != eventID || before.leafHash != leafHash) {
		s.t.Errorf("%s is acknowledged as %s and as %s", id, before.eventID, eventID)
	}
	created := before.created
	if !replayed {
		created++
	}
	s.acknowledged[id] = acknowledgement{eventID, leafHash, created}
}

// kill kills the server several times, evenly spread over the writes, and restarts it.
func (s *stress) kill(server *pgserver.Server) {
	for kill := range stressKills {
		for s.written.Load() < int64((kill+1)*stressWrites/(stressKills+1)) {
			time.Sleep(time.Millisecond)
		}
		s.noDeadlocks()
		if err := postgrestest.Kill(s.t.Context(), server); err != nil {
			s.t.Error(err)
		}
		if err := server.Restart(s.t.Context()); err != nil {
			s.t.Error(err)
		}
	}
}

// noDeadlocks checks the current run of the server. A kill resets its log and its statistics.
func (s *stress) noDeadlocks() {
	url := s.stack.Database.SuperuserURL()
	counted := queryValue[int](s.t, url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
	logged := queryValue[int](s.t, url, `SELECT count(*) FROM regexp_matches(pg_read_file('../postgres.log'), 'deadlock detected', 'g')`)
	if counted+logged > 0 {
		s.t.Errorf("deadlocks: %d counted, %d in the log", counted, logged)
	}
}

// stored is a remediation with its journal entries.
type stored struct {
	ID, EventID, LeafHash string
	Entries               int
}

func (s *stress) everythingIsThereOnce() {
	url := s.stack.Database.SuperuserURL()
	found := map[string]stored{}
	for _, row := range queryStructs[stored](s.t, url, `
		SELECT r.remediation_id AS id, max(e.event_id::text) AS event_id, max(encode(e.leaf_hash, 'hex')) AS leaf_hash, count(e.event_id)::int AS entries
		FROM remediation_audit AS r
		LEFT JOIN audit_event AS e ON e.remediation_id = r.remediation_id
		GROUP BY r.id, r.remediation_id`) {
		if _, twice := found[row.ID]; twice || row.Entries != 1 {
			s.t.Errorf("%s: %d journal entries, doubled is %v", row.ID, row.Entries, twice)
		}
		found[row.ID] = row
	}
	for id, acknowledged := range s.acknowledged {
		if row := found[id]; row.EventID != acknowledged.eventID || row.LeafHash != acknowledged.leafHash {
			s.t.Errorf("%s is acknowledged as %+v, and stored as %+v", id, acknowledged, row)
		}
		if acknowledged.created > 1 {
			s.t.Errorf("%s was created %d times", id, acknowledged.created)
		}
	}
	lost := stressDistinct - len(s.acknowledged)
	if len(found) < len(s.acknowledged) || len(found) > stressDistinct || int64(lost) > s.givenUp.Load()*stressBatch {
		s.t.Errorf("%d stored, %d acknowledged, %d sent", len(found), len(s.acknowledged), stressDistinct)
	}
	for what, sql := range map[string]string{
		"journal entries of nothing": `SELECT count(*) FROM audit_event AS e WHERE NOT EXISTS (SELECT FROM remediation_audit AS r WHERE r.event_id = e.event_id)`,
		"signatures without the one vector": fmt.Sprintf(`SELECT count(*) - %d + abs((SELECT count(*) FROM embedding) - count(*))
			FROM signature AS s JOIN embedding AS e ON e.signature_id = s.id`, stressSignatures),
	} {
		if n := queryValue[int](s.t, url, sql); n != 0 {
			s.t.Errorf("%d %s", n, what)
		}
	}
}
