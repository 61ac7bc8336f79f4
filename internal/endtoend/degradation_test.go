package endtoend_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// TestProviderFails checks each way in which a provider fails: writes are stored with a pending embedding,
// reads succeed, semantic search returns Retry-After, and readiness is degraded. Once the provider works again,
// a maintenance run makes the missing embeddings and search finds them.
func TestProviderFails(t *testing.T) {
	t.Parallel()
	for name, fail := range providerFailures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider := newProvider(t)
			stack := endtoend.New(t, endtoend.Options{Env: provider.envWithShortDeadline()})
			provider.failWith(fail)
			first, body := postBody(t, stack, "/v1/remediations", withMembers(recordMembers()))
			if first.StatusCode != 201 {
				t.Fatalf("%d %s", first.StatusCode, body)
			}
			writesArePending(t, stack)
			checkSearchUnavailable(t, stack, "b", "a")
			wantReadiness(t, stack, client.ReadinessStatusDegraded, map[client.CheckName]client.CheckStatus{
				"postgresql": "ok", "pgvector": "ok", "schema": "ok", "embedding": "failed",
			})
			provider.recover()
			stack = endtoend.New(t, endtoend.Options{Env: provider.env(), Database: stack.Database})
			done, err := stack.Functions.Maintain.Invoke(t.Context())
			if err != nil || done.Embedded != 3 || done.Refused != 0 {
				t.Errorf("the run returned %+v, %v; want 3 vectors", done, err)
			}
			wantVectors(t, stack, 3)
			if found := searchIncidents(t, stack, client.SearchInput{Query: "disk is full"}); len(found) != 3 {
				t.Errorf("found %d, want 3", len(found))
			}
			wantReadiness(t, stack, client.ReadinessStatusReady, map[client.CheckName]client.CheckStatus{
				"postgresql": "ok", "pgvector": "ok", "schema": "ok", "embedding": "ok",
			})
			again, repeated := postBody(t, stack, "/v1/remediations", withMembers(recordMembers()))
			if again.StatusCode != 200 || repeated != body {
				t.Errorf("the replay returns %d %s, the first response was %s", again.StatusCode, repeated, body)
			}
		})
	}
}

// writesArePending sends every kind of write that makes a signature.
func writesArePending(t *testing.T, stack *endtoend.Stack) {
	t.Helper()
	results, err := stack.Client.CreateRemediations(t.Context(), []client.RemediationInput{remediationWithError("a", "disk is full"), remediationWithError("b", "disk is full")})
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range results {
		if result.Status != 201 || result.Embedding != client.EmbeddingStatePending {
			t.Errorf("record %d: %d, embedding %s", result.Index, result.Status, result.Embedding)
		}
	}
	updated, err := stack.Client.UpdateRemediation(t.Context(), "b", newMessage("disk is nearly full"))
	if err != nil || updated.Replayed {
		t.Errorf("update: %+v %v", updated, err)
	}
	if _, err := stack.Client.CreateAIAnalysis(t.Context(), "a", minimalAnalysis("a")); err != nil {
		t.Error(err)
	}
	page, err := stack.Client.IncidentEvents(t.Context(), client.ListIncidentEventsParams{})
	if err != nil || len(page.Data) != 3 || page.Data[0].EmbeddingVector != nil {
		t.Errorf("incident events: %+v %v", page, err)
	}
	wantVectors(t, stack, 0)
}

// checkSearchUnavailable sends a semantic search, which fails, and a hybrid one, which
// returns lexical results and reports the degradation.
func checkSearchUnavailable(t *testing.T, stack *endtoend.Stack, want ...string) {
	t.Helper()
	found, err := stack.Client.Search(t.Context(), client.SearchInput{Query: "disk is nearly full", Explain: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, result := range found.Data {
		got = append(got, result.Remediations[0].RemediationID)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("lexical results (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(client.SearchInfo{Mode: "hybrid", Degraded: []client.Retriever{"semantic"}}, found.Search); diff != "" {
		t.Error(diff)
	}
	if len(got) > 0 && (found.Data[0].Explain.Semantic != nil || found.Data[0].Explain.Lexical.Score != found.Data[0].Score) {
		t.Errorf("explained as %+v", found.Data[0].Explain)
	}
	_, err = stack.Client.Search(t.Context(), client.SearchInput{Query: "disk is full", Mode: new(client.SearchModeSemantic)})
	var refusal *client.Error
	if !errors.As(err, &refusal) || !errors.Is(err, client.ErrUnavailable) || refusal.RetryAfter <= 0 {
		t.Errorf("search: %v", err)
		return
	}
	leaksNothing(t, fmt.Sprintf("%+v", refusal.Problem))
}

// wantReadiness polls until the response is the expected one, because a check may exceed
// its limit of one second on a busy machine.
func wantReadiness(
	t *testing.T, stack *endtoend.Stack, status client.ReadinessStatus, checks map[client.CheckName]client.CheckStatus,
) {
	t.Helper()
	var diff string
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); {
		ready, err := stack.Client.Ready(t.Context())
		if unavailable := errors.Is(err, client.ErrUnavailable); ready == nil || unavailable != (ready.Status == client.ReadinessStatusUnavailable) {
			t.Fatalf("ready: %+v %v", ready, err)
		}
		got := map[client.CheckName]client.CheckStatus{}
		for _, check := range ready.Checks {
			got[check.Name] = check.Status
			leaksNothing(t, check.Detail)
		}
		if diff = gocmp.Diff(checks, got); diff == "" && ready.Status == status {
			return
		}
	}
	t.Errorf("not %s; checks:\n%s", status, diff)
}

func wantVectors(t *testing.T, stack *endtoend.Stack, want int) {
	t.Helper()
	if n := queryValue[int](t, stack.Database.ReaderURL(), "SELECT count(*) FROM embedding"); n != want {
		t.Errorf("%d vectors, want %d", n, want)
	}
}

// TestConcurrentMaintenance makes hundreds of vectors in two concurrent runs while writers write: none is
// counted twice, none is missing.
func TestConcurrentMaintenance(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()})
	provider.failWith(providerFailures()["refuses the key"])
	createAll(t, stack, manyRecords(450, func(i int) client.RemediationInput {
		return remediationWithError(fmt.Sprint("pending-", i), "trouble with "+numberAsLetters(i))
	}))
	provider.recover()
	var embedded atomic.Int64
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			done, err := stack.Functions.Maintain.Invoke(t.Context())
			if err != nil {
				t.Errorf("maintenance run: %v", err)
			}
			embedded.Add(done.Embedded)
		})
	}
	for writer := range 4 {
		running.Go(func() {
			for i := range 25 {
				known := remediationWithError(fmt.Sprintf("known-%d-%d", writer, i), "trouble with "+numberAsLetters(i))
				fresh := remediationWithError(fmt.Sprintf("fresh-%d-%d", writer, i), fmt.Sprintf("grief with %s", numberAsLetters(1000*writer+i)))
				for _, record := range []client.RemediationInput{known, fresh} {
					if _, err := stack.Client.CreateRemediation(t.Context(), record); err != nil {
						t.Errorf("write: %v", err)
					}
				}
			}
		})
	}
	running.Wait()
	wantVectors(t, stack, 450+100)
	if n := queryValue[int](t, stack.Database.ReaderURL(), "SELECT count(*) FROM signature"); n != 450+100 {
		t.Errorf("%d signatures, want 550", n)
	}
	// A row's xmin is the transaction that wrote it. A writer of the same signature waits for at most ten vectors.
	if n := queryValue[int](t, stack.Database.ReaderURL(), `SELECT max(n) FROM (SELECT count(*) AS n FROM embedding GROUP BY xmin::text) AS t`); n != 10 {
		t.Errorf("up to %d vectors in one transaction, want 10", n)
	}
	if n := embedded.Load(); n > 450 {
		t.Errorf("the runs counted %d vectors, want 450", n)
	}
	if done, err := stack.Functions.Maintain.Invoke(t.Context()); err != nil || done.Embedded != 0 {
		t.Errorf("a second run returned %+v, %v", done, err)
	}
}

// TestMaintenanceBlocksNoWriter stops a maintenance run in the middle of its transaction: writers of the same
// and of other signatures, updates and children succeed without waiting for it.
func TestMaintenanceBlocksNoWriter(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()})
	provider.failWith(providerFailures()["refuses the key"])
	createRecord(t, stack, remediationWithError("a", "disk is full"))
	provider.recover()
	gate := connect(t, stack.Database.SuperuserURL())
	execSQL(t, stack.Database.AdminURL(), `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$`,
		"CREATE TRIGGER hold AFTER INSERT ON embedding FOR EACH ROW EXECUTE FUNCTION hold()")
	mustExec(t, gate, "SELECT pg_advisory_lock(1)")
	ended := make(chan error, 1)
	go func() {
		done, err := stack.Functions.Maintain.Invoke(t.Context())
		if err == nil && done.Embedded != 2 {
			err = fmt.Errorf("the run returned %+v", done)
		}
		ended <- err
	}()
	stack.Database.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	provider.failWith(providerFailures()["refuses the key"])
	// Use another sandbox, because this one has cached the vector that the maintenance run made.
	writer := endtoend.New(t, endtoend.Options{Env: provider.env(), Database: stack.Database}).Client
	ctx := t.Context()
	for _, record := range []client.RemediationInput{remediationWithError("b", "disk is full"), remediationWithError("c", "certificate has expired")} {
		if written, err := writer.CreateRemediation(ctx, record); err != nil || written.Embedding != client.EmbeddingStatePending {
			t.Errorf("write during the maintenance run: %+v %v", written, err)
		}
	}
	if _, err := writer.UpdateRemediation(ctx, "a", newPhase(client.PhaseFailed)); err != nil {
		t.Errorf("update during the maintenance run: %v", err)
	}
	if _, err := writer.CreateAIAnalysis(ctx, "a", minimalAnalysis("a")); err != nil {
		t.Errorf("child during the maintenance run: %v", err)
	}
	stack.Database.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	provider.recover()
	mustExec(t, gate, "SELECT pg_advisory_unlock(1)")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	wantVectors(t, stack, 2)
}

// TestSameTextCostsOneCall counts calls of the provider: a text is embedded once, however
// often and however concurrently it is written.
func TestSameTextCostsOneCall(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()})
	step := func(name string, wantCalls, wantTexts int) {
		t.Helper()
		calls, texts, different := provider.counts()
		if calls != wantCalls || texts != wantTexts || different != wantTexts {
			t.Errorf("after %s: %d calls for %d texts, %d different; want %d calls for %d", name, calls, texts, different, wantCalls, wantTexts)
		}
	}
	createRecord(t, stack, remediationWithError("a", "disk is full"))
	createRecord(t, stack, remediationWithError("b", "disk is full"))
	_, _ = postBody(t, stack, "/v1/remediations", quoteRecord(t, remediationWithError("a", "disk is full")))
	step("the same text twice and a replay", 1, 1)
	createAll(t, stack, manyRecords(200, func(i int) client.RemediationInput {
		return remediationWithError(fmt.Sprint("batch-", i), "trouble with "+numberAsLetters(i%20))
	}))
	step("a batch of 200 with 20 new texts", 2, 21)
	writeAtOnce(t, stack, provider)
	step("32 writers of one new text at once", 3, 22)
	other := endtoend.New(t, endtoend.Options{Env: provider.env(), Database: stack.Database})
	createRecord(t, other, remediationWithError("other", "certificate has expired"))
	createAll(t, other, manyRecords(20, func(i int) client.RemediationInput {
		return remediationWithError(fmt.Sprint("other-", i), "trouble with "+numberAsLetters(i))
	}))
	step("known texts from another sandbox", 3, 22)
	for range 3 {
		searchIncidents(t, stack, client.SearchInput{Query: "why are there no pods"})
	}
	step("a question three times", 4, 23)
	for range 2 {
		if _, err := stack.Client.UpdateRemediation(t.Context(), "a", newMessage("disk is gone")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stack.Client.UpdateRemediation(t.Context(), "b", newMessage("disk is gone")); err != nil {
		t.Fatal(err)
	}
	step("updates to one new text", 5, 24)
	wantVectors(t, stack, 23)
}

// writeAtOnce sends one new text from 32 writers while the provider's response is delayed.
func writeAtOnce(t *testing.T, stack *endtoend.Stack, provider *provider) {
	t.Helper()
	release := provider.hold()
	asked := func() int64 { counts := stack.Functions.Models[0].Counts(); return counts.Hits + counts.Misses }
	before := asked()
	var writing sync.WaitGroup
	for i := range 32 {
		writing.Go(func() {
			if _, err := stack.Client.CreateRemediation(t.Context(), remediationWithError(fmt.Sprint("at-once-", i), "certificate has expired")); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "32 writers to ask for the vector", func() bool { return asked() == before+32 })
	release()
	writing.Wait()
}

// TestThrottledProviderIsRetried checks that a temporary refusal is retried and does not lose the vector.
func TestThrottledProviderIsRetried(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()})
	var refusals atomic.Int64
	provider.failWith(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
		if refusals.Add(1) == 2 {
			provider.recover()
		}
	})
	written := createRecord(t, stack, remediationWithError("a", "disk is full"))
	if calls, _, _ := provider.counts(); written.Embedding != client.EmbeddingStateStored || calls != 3 {
		t.Errorf("embedding %s after %d calls", written.Embedding, calls)
	}
}

// TestTextThatTheProviderRefuses checks that such a text is stored without a vector and does not prevent the
// vectors of others, and that as a search query it is a validation error.
func TestTextThatTheProviderRefuses(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()})
	provider.refuse("unspeakable")
	results, err := stack.Client.CreateRemediations(t.Context(), []client.RemediationInput{
		remediationWithError("a", "disk is full"), remediationWithError("b", "unspeakable trouble"), remediationWithError("c", "certificate has expired"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var states []client.EmbeddingState
	for _, result := range results {
		states = append(states, result.Embedding)
	}
	if diff := gocmp.Diff([]client.EmbeddingState{"stored", "pending", "stored"}, states); diff != "" {
		t.Error(diff)
	}
	if done, err := stack.Functions.Maintain.Invoke(t.Context()); err != nil || done.Embedded != 0 || done.Refused != 1 {
		t.Errorf("the run returned %+v, %v", done, err)
	}
	_, err = stack.Client.Search(t.Context(), client.SearchInput{Query: "unspeakable", Mode: new(client.SearchModeSemantic)})
	var refusal *client.Error
	if !errors.As(err, &refusal) || refusal.StatusCode != 400 {
		t.Fatalf("search: %v", err)
	}
	if len(refusal.Problem.Errors) != 1 || refusal.Problem.Errors[0].Field != "query" {
		t.Errorf("errors %+v", refusal.Problem.Errors)
	}
}

// TestEmbeddingIsOfTheSignature checks that the provider receives neither IDs nor times nor secrets.
func TestEmbeddingIsOfTheSignature(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()})
	record := fullRecord("id-of-the-caller")
	record.ErrorMessage = new("pod api-5d8f9c7b6d-x2k4j at 10.1.2.3 failed 17 times, password=" + secret)
	createRecord(t, stack, record)
	provider.mu.Lock()
	defer provider.mu.Unlock()
	if len(provider.texts) != 1 {
		t.Fatalf("the provider received %v", provider.texts)
	}
	for text := range provider.texts {
		leaksNothing(t, text)
		stored := queryRows[string](t, stack.Database.ReaderURL(), "SELECT text FROM signature")
		if diff := gocmp.Diff([]string{text}, stored, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
}
