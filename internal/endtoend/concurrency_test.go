package endtoend_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// writers is the number of concurrent callers.
const writers = 56

// tally counts the responses of all callers by request.
type tally struct {
	mu     sync.Mutex
	counts map[string]map[string]int
}

func newTally() *tally { return &tally{counts: map[string]map[string]int{}} }

func (t *tally) add(request, result string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts[request] == nil {
		t.counts[request] = map[string]int{}
	}
	t.counts[request][result]++
}

func writeOutcome(written *client.Written, err error) string {
	switch {
	case errors.Is(err, client.ErrConflict):
		return "conflict"
	case err != nil:
		return err.Error()
	case written.Replayed:
		return "replayed"
	default:
		return "created"
	}
}

// runConcurrently runs callers that start at the same time.
func runConcurrently(callers int, call func(caller int)) {
	start := make(chan struct{})
	var running sync.WaitGroup
	for caller := range callers {
		running.Go(func() {
			<-start
			call(caller)
		})
	}
	close(start)
	running.Wait()
}

// manyConns makes the writers contend in the database instead of in the pool.
func manyConns() map[string]string {
	return map[string]string{"DATASTORAGE_DATABASE_MAX_CONNS": "24", "DATASTORAGE_REQUEST_TIMEOUT": "25s"}
}

// TestSameRecordFromManyWriters has every writer send the same records in its own order:
// each record is created for exactly one writer.
func TestSameRecordFromManyWriters(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: manyConns()})
	const records = 12
	outcomes := newTally()
	runConcurrently(writers, func(caller int) {
		for _, number := range rand.New(rand.NewPCG(uint64(caller), 0)).Perm(records) {
			record := numberedRecord(number)
			outcomes.add(record.RemediationID, writeOutcome(stack.Client.CreateRemediation(t.Context(), record)))
		}
	})
	want := map[string]map[string]int{}
	for number := range records {
		want[numberedRecord(number).RemediationID] = map[string]int{"created": 1, "replayed": writers - 1}
	}
	if diff := gocmp.Diff(want, outcomes.counts); diff != "" {
		t.Error(diff)
	}
	if n := countJournal(stack); n != records {
		t.Errorf("%d journal entries, want %d", n, records)
	}
}

// TestConflictingWritersOfOneID has two parties send different content under the same IDs: for each
// ID one party succeeds and the other is refused.
func TestConflictingWritersOfOneID(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: manyConns()})
	const records = 12
	outcomes := newTally()
	runConcurrently(writers, func(caller int) {
		party := pickByIndex(caller, "red", "blue")
		for number := range records {
			record := numberedRecord(number)
			record.Namespace = party
			outcomes.add(record.RemediationID+" "+party, writeOutcome(stack.Client.CreateRemediation(t.Context(), record)))
		}
	})
	for number := range records {
		id := numberedRecord(number).RemediationID
		got, err := stack.Client.GetRemediation(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		loser := map[string]string{"red": "blue", "blue": "red"}[got.Namespace]
		wonBy, lostBy := outcomes.counts[id+" "+got.Namespace], outcomes.counts[id+" "+loser]
		if diff := gocmp.Diff(map[string]int{"created": 1, "replayed": writers/2 - 1}, wonBy); diff != "" {
			t.Errorf("%s, stored for %s:\n%s", id, got.Namespace, diff)
		}
		if diff := gocmp.Diff(map[string]int{"conflict": writers / 2}, lostBy); diff != "" {
			t.Errorf("%s, refused to %s:\n%s", id, loser, diff)
		}
	}
}

// TestOverlappingBatches sends batches that share records in different orders, so that their locks could deadlock.
func TestOverlappingBatches(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: manyConns()})
	const records = 25 // a writer waits for the batches of all others within the time of one request
	outcomes := newTally()
	runConcurrently(writers, func(caller int) {
		var batch []client.RemediationInput
		for _, number := range rand.New(rand.NewPCG(uint64(caller), 1)).Perm(records) {
			batch = append(batch, numberedRecord(number))
		}
		results, err := stack.Client.CreateRemediations(t.Context(), batch)
		if err != nil {
			t.Errorf("writer %d: %v", caller, err)
		}
		for _, result := range results {
			outcomes.add(result.RemediationID, fmt.Sprint(result.Status))
		}
	})
	want := map[string]map[string]int{}
	for number := range records {
		want[numberedRecord(number).RemediationID] = map[string]int{"201": 1, "200": writers - 1}
	}
	if diff := gocmp.Diff(want, outcomes.counts); diff != "" {
		t.Error(diff)
	}
	noDeadlocksYet(t, stack)
}

func noDeadlocksYet(t *testing.T, stack *endtoend.Stack) {
	t.Helper()
	if n := queryValue[int](t, stack.Database.SuperuserURL(), "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// TestSameChildFromManyWriters has every writer send the same children.
func TestSameChildFromManyWriters(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: manyConns()})
	createRecord(t, stack, minimalRecord("r"))
	outcomes := newTally()
	runConcurrently(writers, func(int) {
		outcomes.add("analysis", writeOutcome(stack.Client.CreateAIAnalysis(t.Context(), "r", fullAnalysis("a"))))
		outcomes.add("workflow", writeOutcome(stack.Client.CreateWorkflow(t.Context(), "r", fullWorkflow("w"))))
		outcomes.add("execution", writeOutcome(stack.Client.CreateExecution(t.Context(), "r", fullExecution("e"))))
	})
	each := map[string]int{"created": 1, "replayed": writers - 1}
	if diff := gocmp.Diff(map[string]map[string]int{"analysis": each, "workflow": each, "execution": each}, outcomes.counts); diff != "" {
		t.Error(diff)
	}
	wantJournal(t, stack, "r", 4)
}

// TestRacingUpdates updates the same remediations concurrently. Each ends once and never moves back, and its
// journal has exactly the acknowledged changes in the order in which they happened.
func TestRacingUpdates(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: manyConns()})
	ids := []string{"a", "b", "c"}
	for _, id := range ids {
		createRecord(t, stack, minimalRecord(id))
	}
	outcomes := newTally()
	runConcurrently(writers, func(caller int) {
		for i := range ids {
			id := ids[(caller+i)%len(ids)]
			phase := pickByIndex(caller, client.PhaseProcessing, client.PhaseCompleted, client.PhaseProcessing, client.PhaseFailed)
			updated, err := stack.Client.UpdateRemediation(t.Context(), id, client.RemediationUpdate{Phase: &phase})
			var written *client.Written
			if updated != nil {
				written = &client.Written{Replayed: updated.Replayed}
			}
			outcomes.add(id+" "+string(phase), writeOutcome(written, err))
		}
	})
	for _, id := range ids {
		counts := outcomes.counts
		processing := counts[id+" processing"]["created"]
		completed, failed := counts[id+" completed"]["created"], counts[id+" failed"]["created"]
		if processing > 1 || completed+failed != 1 {
			t.Errorf("%s changed to processing %d times, to completed %d, to failed %d", id, processing, completed, failed)
		}
		wantJournal(t, stack, id, 1+processing+1)
		phasesInOrder(t, stack, id)
	}
	for request, counts := range outcomes.counts {
		if counts["created"]+counts["replayed"]+counts["conflict"] != writers/map[bool]int{true: 2, false: 4}[request[2:] == "processing"] {
			t.Errorf("%s: %v", request, counts)
		}
	}
	noDeadlocksYet(t, stack)
}

// phasesInOrder checks a remediation's journal: its phases only go forward, and the last one is the current phase.
func phasesInOrder(t *testing.T, stack *endtoend.Stack, id string) {
	t.Helper()
	history, err := stack.Client.History(t.Context(), id, client.GetHistoryParams{})
	if err != nil {
		t.Fatal(err)
	}
	order := map[any]int{"pending": 0, "processing": 1, "completed": 2, "failed": 2}
	last, phase := -1, any(nil)
	for _, entry := range history.Data {
		phase = canonical(t, entry).Content.Record["phase"]
		if order[phase] <= last {
			t.Errorf("%s: the phase went back to %v", id, phase)
		}
		last = order[phase]
	}
	if now, err := stack.Client.GetRemediation(t.Context(), id); err != nil || string(now.Phase) != phase {
		t.Errorf("%s is %v %v, the journal ends with %v", id, now.Phase, err, phase)
	}
}

// TestConcurrentWritesOfEveryKind mixes creates, batches, updates that change the signature, and children of the
// same few remediations, so that their locks could deadlock.
func TestConcurrentWritesOfEveryKind(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: manyConns()})
	const parents = 8
	createAll(t, stack, manyRecords(parents, func(i int) client.RemediationInput { return minimalRecord(fmt.Sprint("parent-", i)) }))
	runConcurrently(writers, func(caller int) {
		random := rand.New(rand.NewPCG(uint64(caller), 2))
		for round := range 6 {
			var err error
			id := fmt.Sprint("parent-", random.IntN(parents))
			message := "trouble with " + numberAsLetters(random.IntN(10))
			switch (caller + round) % 4 {
			case 0:
				_, err = stack.Client.UpdateRemediation(t.Context(), id, newMessage(message))
			case 1:
				_, err = stack.Client.CreateExecution(t.Context(), id, fullExecution(fmt.Sprintf("e-%d-%d", caller, round)))
			case 2:
				var batch []client.RemediationInput
				for i := range 10 {
					batch = append(batch, remediationWithError(fmt.Sprintf("batch-%d-%d-%d", caller, round, i), "trouble with "+numberAsLetters(random.IntN(10))))
				}
				_, err = stack.Client.CreateRemediations(t.Context(), batch)
			default:
				_, err = stack.Client.CreateRemediation(t.Context(), remediationWithError(fmt.Sprintf("one-%d-%d", caller, round), message))
			}
			if err != nil {
				t.Errorf("writer %d, round %d: %v", caller, round, err)
			}
		}
	})
	noDeadlocksYet(t, stack)
	url := stack.Database.ReaderURL()
	if signatures, vectors := queryValue[int](t, url, "SELECT count(*) FROM signature"), queryValue[int](t, url, "SELECT count(*) FROM embedding"); signatures != vectors || vectors != 11 {
		t.Errorf("%d signatures, %d vectors, want 11 of each", signatures, vectors)
	}
}
