package endtoend_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

// The models of these tests have different numbers of dimensions.
const (
	oldModel = "hash-word-char35-v1@512"
	newModel = "hash-word-char35-v1@1024"
)

// newStackWithBothModels returns a stack that is configured for both models, with the old one active.
func newStackWithBothModels(t *testing.T) *endtoend.Stack {
	t.Helper()
	return endtoend.New(t, endtoend.Options{Env: map[string]string{
		"DATASTORAGE_EMBEDDING_NEXT_PROVIDER": "hashing", "DATASTORAGE_EMBEDDING_NEXT_DIMENSIONS": "1024",
		"DATASTORAGE_EMBEDDING_NEXT_DEADLINE": "20s", "DATASTORAGE_DATABASE_MAX_CONNS": "8",
	}})
}

// modelProgress returns "name active stored missing" of every model after a maintenance run.
func modelProgress(t *testing.T, stack *endtoend.Stack) []string {
	t.Helper()
	done, err := stack.Functions.Maintain.Invoke(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, model := range done.Models {
		lines = append(lines, fmt.Sprint(model.StoredName, " ", model.Active, " ", model.Stored, " ", model.Missing))
	}
	return lines
}

// switchTo activates a model, and returns when searches use it: the functions check every few seconds.
func switchTo(t *testing.T, stack *endtoend.Stack, model string, force bool) {
	t.Helper()
	if _, err := migrations.ActivateModel(t.Context(), stack.Database.AdminURL(), model, force); err != nil {
		t.Fatal(err)
	}
	for {
		results, err := stack.Client.Search(t.Context(), client.SearchInput{Query: "trouble"})
		if err != nil {
			t.Fatal(err)
		}
		if results.Search.Model == model {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestModelChangeUnderLoad changes to a model of other dimensions, back, and forth again, and drops the old
// one, while writers write and searchers search: every write is accepted, every search uses one of the two
// models, and no vector is missing afterwards.
func TestModelChangeUnderLoad(t *testing.T) {
	t.Parallel()
	stack := newStackWithBothModels(t)
	createAll(t, stack, manyRecords(300, func(i int) client.RemediationInput {
		return remediationWithError(fmt.Sprint("before-", i), "trouble with "+numberAsLetters(i))
	}))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var written, searched atomic.Int64
	var models sync.Map
	for worker := range 2 {
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				record := remediationWithError(fmt.Sprintf("during-%d-%d", worker, i), fmt.Sprintf("trouble with %s", numberAsLetters(100_000*(worker+1)+i)))
				if _, err := stack.Client.CreateRemediation(t.Context(), record); err != nil {
					t.Errorf("write: %v", err)
				}
				written.Add(1)
			}
		})
		running.Go(func() {
			for ctx.Err() == nil {
				results, err := stack.Client.Search(t.Context(), client.SearchInput{Query: "trouble with aaaa", Limit: new(100)})
				if err != nil {
					t.Errorf("search: %v", err)
					continue
				}
				if len(results.Data) != 100 {
					t.Errorf("found %d with %s, want 100", len(results.Data), results.Search.Model)
				}
				models.Store(results.Search.Model, true)
				searched.Add(1)
			}
		})
	}
	searchedWith := func(model string) {
		t.Helper()
		eventually(t, "a search with "+model, func() bool { _, seen := models.Load(model); return seen })
	}
	modelProgress(t, stack)
	searchedWith(oldModel)
	switchTo(t, stack, newModel, true) // forced, because a writer may have stored a signature in between
	searchedWith(newModel)
	modelProgress(t, stack)
	switchTo(t, stack, oldModel, true)
	modelProgress(t, stack)
	switchTo(t, stack, newModel, true)
	if err := migrations.DropModel(t.Context(), stack.Database.AdminURL(), oldModel); err != nil {
		t.Error(err)
	}
	before := written.Load()
	eventually(t, "writes without the old model", func() bool { return written.Load() >= before+20 })
	stop()
	running.Wait()
	t.Logf("%d writes, %d searches", written.Load(), searched.Load())
	models.Delete(oldModel)
	models.Delete(newModel)
	models.Range(func(model, _ any) bool { t.Errorf("a search used the model %v", model); return true })
	everySignatureIsFound(t, stack, 300+int(written.Load()))
}

// everySignatureIsFound checks that after a maintenance run only the new model is left,
// with a vector of every signature.
func everySignatureIsFound(t *testing.T, stack *endtoend.Stack, signatures int) {
	t.Helper()
	want := []string{fmt.Sprintf("%s true %d 0", newModel, signatures)}
	if got := modelProgress(t, stack); !slices.Equal(got, want) {
		t.Errorf("models %q, want %q", got, want)
	}
	wantVectors(t, stack, signatures)
	if n := queryValue[int](t, stack.Database.ReaderURL(), "SELECT count(*) FROM embedding WHERE vector_dims(vector) = 1024"); n != signatures {
		t.Errorf("%d vectors of 1024 dimensions, want %d", n, signatures)
	}
	for _, i := range []int{0, 17, 299} {
		message := "trouble with " + numberAsLetters(i)
		found := searchIncidents(t, stack, client.SearchInput{Query: message, Limit: new(1)})
		if len(found) != 1 || found[0].Remediations[0].RemediationID != fmt.Sprint("before-", i) {
			t.Errorf("%s: found %+v", message, found)
		}
	}
}

// TestModelChangeIsInterrupted cancels a maintenance run half way: what it stored remains, and a switch is refused
// with the number of missing vectors. The next run continues from there, with nothing doubled or missing.
func TestModelChangeIsInterrupted(t *testing.T) {
	t.Parallel()
	stack := newStackWithBothModels(t)
	const signatures = 600
	createAll(t, stack, manyRecords(signatures, func(i int) client.RemediationInput {
		return remediationWithError(fmt.Sprint("r-", i), "trouble with "+numberAsLetters(i))
	}))
	const filled = "SELECT count(*) FROM embedding AS e JOIN embedding_model AS m ON m.id = e.model_id WHERE m.name = $1"
	gate := connect(t, stack.Database.SuperuserURL())
	execSQL(t, stack.Database.AdminURL(), `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF (SELECT count(*) FROM embedding) >= 650 THEN PERFORM pg_advisory_xact_lock(1); END IF;
			RETURN NULL;
		END $$`,
		"CREATE TRIGGER hold AFTER INSERT ON embedding FOR EACH STATEMENT EXECUTE FUNCTION hold()")
	mustExec(t, gate, "SELECT pg_advisory_lock(1)")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := stack.Functions.Maintain.Invoke(ctx)
		ended <- err
	}()
	stack.Database.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("the run ended with %v", err)
	}
	stack.Database.AwaitSessions(t, 0, "usename = 'datastorage_writer' AND state <> 'idle'")
	execSQL(t, stack.Database.AdminURL(), "DROP TRIGGER hold ON embedding")
	half := queryValue[int](t, stack.Database.ReaderURL(), filled, newModel)
	if half == 0 || half >= signatures {
		t.Fatalf("%d vectors when it was cancelled, want some of %d", half, signatures)
	}
	missing, err := migrations.ActivateModel(t.Context(), stack.Database.AdminURL(), newModel, false)
	if !errors.Is(err, migrations.ErrModelIncomplete) || missing != int64(signatures-half) {
		t.Errorf("switch half way: %d missing, %v; want %d", missing, err, signatures-half)
	}
	results, err := stack.Client.Search(t.Context(), client.SearchInput{Query: "trouble", Limit: new(100)})
	if err != nil || results.Search.Model != oldModel || len(results.Data) != 100 {
		t.Errorf("halfway a search returns %+v, %v", results, err)
	}
	want := []string{fmt.Sprintf("%s true %d 0", oldModel, signatures), fmt.Sprintf("%s false %d 0", newModel, signatures)}
	if got := modelProgress(t, stack); !slices.Equal(got, want) {
		t.Errorf("models %q, want %q", got, want)
	}
	wantVectors(t, stack, 2*signatures)
	switchTo(t, stack, newModel, false)
}

// TestModelWithoutProvider activates a model for which the functions have no provider: writes are stored with a
// pending vector, search returns Retry-After and the log gives the reason. Back on the old model nothing is missing.
func TestModelWithoutProvider(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	stack := endtoend.New(t, endtoend.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	admin := stack.Database.AdminURL()
	if err := migrations.RegisterModel(t.Context(), admin, "elsewhere@8", 8); err != nil {
		t.Fatal(err)
	}
	if _, err := migrations.ActivateModel(t.Context(), admin, "elsewhere@8", false); err != nil {
		t.Fatal(err)
	}
	written, err := stack.Client.CreateRemediation(t.Context(), remediationWithError("a", "disk is full"))
	if err != nil || written.Embedding != client.EmbeddingStatePending {
		t.Errorf("write: %+v %v", written, err)
	}
	checkSearchUnavailable(t, stack, "a")
	if !strings.Contains(log.String(), "elsewhere@8 is the active model, but providers are configured only for "+oldModel) {
		t.Errorf("the log does not contain the reason: %s", log.String())
	}
	if _, err := migrations.ActivateModel(t.Context(), admin, oldModel, false); !errors.Is(err, migrations.ErrModelIncomplete) {
		t.Errorf("back before the maintenance run: %v", err)
	}
	modelProgress(t, stack)
	// A sandbox that starts now reads the active model at once.
	if _, err := migrations.ActivateModel(t.Context(), admin, oldModel, false); err != nil {
		t.Fatal(err)
	}
	other := endtoend.New(t, endtoend.Options{Database: stack.Database})
	if found := searchIncidents(t, other, client.SearchInput{Query: "disk is full"}); len(found) != 1 {
		t.Errorf("found %d, want 1", len(found))
	}
}

// TestModelDropWaitsBriefly locks a table of the model: the drop waits, writers do not, and the drop
// succeeds once the table is unlocked.
func TestModelDropWaitsBriefly(t *testing.T) {
	t.Parallel()
	stack := newStackWithBothModels(t)
	createRecord(t, stack, remediationWithError("a", "disk is full"))
	reader := connect(t, stack.Database.ReaderURL())
	mustExec(t, reader, "BEGIN")
	mustExec(t, reader, "SELECT count(*) FROM embedding")
	dropped := make(chan error, 1)
	go func() { dropped <- migrations.DropModel(t.Context(), stack.Database.AdminURL(), newModel) }()
	stack.Database.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	for i := range 20 {
		createRecord(t, stack, remediationWithError(fmt.Sprint("b-", i), "trouble with "+numberAsLetters(i)))
	}
	select {
	case err := <-dropped:
		t.Fatalf("the drop ended before the reader: %v", err)
	default:
	}
	mustExec(t, reader, "COMMIT")
	if err := <-dropped; err != nil {
		t.Error(err)
	}
	for name, want := range map[string]error{oldModel: migrations.ErrModelActive, newModel: migrations.ErrModelUnknown} {
		if err := migrations.DropModel(t.Context(), stack.Database.AdminURL(), name); !errors.Is(err, want) {
			t.Errorf("drop %s: %v, want %v", name, err, want)
		}
	}
	if got := queryValue[int](t, stack.Database.AdminURL(), "SELECT count(*) FROM pg_class WHERE relname LIKE 'embedding\\_%hnsw'"); got != 1 {
		t.Errorf("%d vector indexes are left, want that of the old model", got)
	}
}
