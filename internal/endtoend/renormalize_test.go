package endtoend_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/maintain"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// signByVersion1 rewrites the stored signatures as normalizer 1 made them: the same texts, IDs derived from the
// texts alone, and no incidents. It returns another sandbox for the rest of the test, because the stack's
// functions have cached the original signatures.
func signByVersion1(tb testing.TB, stack *endtoend.Stack, env map[string]string) *endtoend.Stack {
	tb.Helper()
	execSQL(tb, stack.Database.AdminURL(),
		`CREATE TEMP TABLE renamed AS
			SELECT s.id AS now, encode(set_byte(set_byte(substring(h.sum FOR 16), 6, get_byte(h.sum, 6) & 15 | 128),
				8, get_byte(h.sum, 8) & 63 | 128), 'hex')::uuid AS was
			FROM signature AS s CROSS JOIN LATERAL (SELECT sha256('\x01'::bytea || convert_to(s.text, 'UTF8')) AS sum) AS h
			WHERE s.normalizer > 1`,
		`INSERT INTO signature (id, text, normalizer, terms, counts, length, analyzer)
			SELECT DISTINCT ON (r.was) r.was, s.text, 1, s.terms, s.counts, s.length, s.analyzer
			FROM renamed AS r JOIN signature AS s ON s.id = r.now`,
		`INSERT INTO embedding (model_id, signature_id, vector)
			SELECT DISTINCT ON (e.model_id, r.was) e.model_id, r.was, e.vector FROM renamed AS r JOIN embedding AS e ON e.signature_id = r.now`,
		`UPDATE remediation_audit AS a SET signature_id = r.was FROM renamed AS r WHERE a.signature_id = r.now`,
		`DELETE FROM embedding WHERE signature_id IN (SELECT now FROM renamed)`,
		`DELETE FROM signature WHERE id IN (SELECT now FROM renamed)`,
	)
	return endtoend.New(tb, endtoend.Options{Env: env, Database: stack.Database})
}

// runMaintenance runs the maintain function and fails the test if it fails.
func runMaintenance(tb testing.TB, stack *endtoend.Stack) maintain.Done {
	tb.Helper()
	done, err := stack.Functions.Maintain.Invoke(tb.Context())
	if err != nil {
		tb.Fatalf("maintenance run: %v", err)
	}
	return done
}

// signedRecord is a remediation with its stored signature.
type signedRecord struct {
	RemediationID, Name, ActionType            string
	TargetResource, ErrorMessage, WorkflowYAML *string
	SignatureID                                audit.ID
	Text                                       string
	IncidentID                                 *audit.ID
	Normalizer                                 int16
	Vectors                                    int
}

// wrongSignatures describes the remediations whose signature is not the one that the current normalizer makes of
// their fields or, if older ones are allowed, normalizer 1; and those whose signature does not have exactly
// one vector.
func wrongSignatures(tb testing.TB, stack *endtoend.Stack, older bool) []string {
	tb.Helper()
	conn := connect(tb, stack.Database.ReaderURL())
	found, err := conn.Query(tb.Context(), `SELECT r.remediation_id, r.name, r.action_type, r.target_resource, r.error_message, r.workflow_yaml,
			r.signature_id, s.text, s.incident_id, s.normalizer,
			(SELECT count(*) FROM embedding AS e JOIN embedding_model AS m ON m.id = e.model_id WHERE m.active AND e.signature_id = s.id)
		FROM remediation_audit AS r JOIN signature AS s ON s.id = r.signature_id`)
	if err != nil {
		tb.Fatal(err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByPos[signedRecord])
	if err != nil {
		tb.Fatal(err)
	}
	var wrong []string
	for _, r := range all {
		remediation := audit.Remediation{
			Name: r.Name, ActionType: r.ActionType, TargetResource: r.TargetResource, ErrorMessage: r.ErrorMessage, WorkflowYAML: r.WorkflowYAML,
		}
		want := remediation.Signature()
		now := r.SignatureID == want.ID && r.IncidentID != nil && *r.IncidentID == want.IncidentID && int(r.Normalizer) == want.Normalizer
		before := older && r.Normalizer == 1 && (r.IncidentID == nil || *r.IncidentID == want.IncidentID)
		if r.Text != want.Text || !now && !before {
			wrong = append(wrong, fmt.Sprintf("%s is signed by normalizer %d as %q", r.RemediationID, r.Normalizer, r.Text))
		}
		if r.Vectors != 1 {
			wrong = append(wrong, fmt.Sprintf("%s has %d vectors", r.RemediationID, r.Vectors))
		}
	}
	return wrong
}

// allRenormalized checks that every remediation has the signature of its fields, that only such signatures are
// left, and that vectors and terms belong to them exactly.
func allRenormalized(tb testing.TB, stack *endtoend.Stack, remediations int) {
	tb.Helper()
	url := stack.Database.ReaderURL()
	if wrong := wrongSignatures(tb, stack, false); len(wrong) > 0 {
		tb.Errorf("%d have a wrong signature, such as %s", len(wrong), strings.Join(wrong[:min(len(wrong), 5)], "; "))
	}
	if n := queryValue[int](tb, url, "SELECT count(*) FROM remediation_audit"); n != remediations {
		tb.Errorf("%d remediations, want %d", n, remediations)
	}
	for what, sql := range map[string]string{
		"signatures of an older normalizer": "SELECT count(*) FROM signature WHERE normalizer < 2",
		"vectors of no signature":           "SELECT count(*) FROM embedding AS e WHERE NOT EXISTS (SELECT FROM signature AS s WHERE s.id = e.signature_id)",
		"terms that differ from the signatures'": `SELECT count(*) FROM (SELECT unnest(terms) AS term, id FROM signature) AS s
			FULL JOIN signature_term AS t ON t.term = s.term AND t.signature_id = s.id WHERE s.id IS NULL OR t.term IS NULL`,
	} {
		if n := queryValue[int](tb, url, sql); n != 0 {
			tb.Errorf("%d %s", n, what)
		}
	}
}

// noDeadlock checks that the server detected no deadlock.
func noDeadlock(tb testing.TB, stack *endtoend.Stack) {
	tb.Helper()
	if n := queryValue[int](tb, stack.Database.SuperuserURL(), "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != 0 {
		tb.Errorf("%d deadlocks", n)
	}
}

// rowsToKeep returns, line by line, everything that renormalizing must not change.
func rowsToKeep(tb testing.TB, stack *endtoend.Stack) []string {
	tb.Helper()
	url := stack.Database.SuperuserURL()
	lines := queryRows[string](tb, url, "SELECT (to_jsonb(r) - 'signature_id')::text FROM remediation_audit AS r ORDER BY r.id")
	lines = append(lines, queryRows[string](tb, url, "SELECT e::text FROM audit_event AS e ORDER BY e.recorded_at, e.event_id")...)
	return append(lines, queryRows[string](tb, url, "SELECT s::text FROM stats_daily AS s ORDER BY 1")...)
}

// mixedIncidents returns n remediations of several incidents; one incident has enough of them for several transactions.
func mixedIncidents(n, incidents int) []client.RemediationInput {
	return manyRecords(n, func(i int) client.RemediationInput {
		of := 0
		if i%2 == 0 {
			of = i / 2 % incidents
		}
		record := remediationWithError(fmt.Sprintf("before-%05d", i), fmt.Sprintf("trouble with %s, attempt %d", numberAsLetters(of), i))
		record.StartTime = start.Add(time.Duration(i/3) * time.Hour)
		record.TargetResource = new(fmt.Sprint("pod/p-", i))
		return record
	})
}

// TestRenormalize renormalizes signatures of normalizer 1: each remediation gets the signature of its fields,
// with the old one's vector and without a call of the provider. Its journal, its updated_at and the statistics
// do not change, and searches return the same results.
func TestRenormalize(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	env := provider.env()
	env["DATASTORAGE_EMBEDDING_NEXT_PROVIDER"], env["DATASTORAGE_EMBEDDING_NEXT_DIMENSIONS"] = "hashing", "64"
	stack := endtoend.New(t, endtoend.Options{Env: env})
	createAll(t, stack, mixedIncidents(1300, 30))
	// Two incidents with the same signature under normalizer 1.
	one1, one2 := minimalRecord("split-1"), minimalRecord("split-2")
	one1.TargetResource, one2.ErrorMessage = new("crash/x"), new("crash")
	long := remediationWithError("long", "trouble with much")
	long.WorkflowYAML = new("steps:\n" + strings.Repeat("  - name: restart\n", 12_000))
	createAll(t, stack, []client.RemediationInput{one1, one2, long, fullRecord("full")})
	for i := range 20 {
		if _, err := stack.Client.UpdateRemediation(t.Context(), fmt.Sprintf("before-%05d", i), newPhase(client.PhaseProcessing)); err != nil {
			t.Fatal(err)
		}
	}
	runMaintenance(t, stack)
	stack = signByVersion1(t, stack, env)
	const total = 1304
	signatures := queryValue[int](t, stack.Database.ReaderURL(), "SELECT count(*) FROM signature")
	before, found := rowsToKeep(t, stack), foundNow(t, stack)
	calls, _, _ := provider.counts()

	done := runMaintenance(t, stack)
	if done.Renormalized != total || done.ToRenormalize != 0 || done.Embedded != 0 || done.Dropped != int64(signatures) || done.Days != 0 {
		t.Errorf("the run returned %+v, want %d dropped", done, signatures)
	}
	if diff := gocmp.Diff(before, rowsToKeep(t, stack)); diff != "" {
		t.Errorf("what must not change (-before +after):\n%s", diff)
	}
	allRenormalized(t, stack, total)
	wantVectors(t, stack, 2*(signatures+1))
	if again, _, _ := provider.counts(); again != calls {
		t.Errorf("%d calls of the provider", again-calls)
	}
	if diff := gocmp.Diff(found, foundNow(t, stack)); diff != "" {
		t.Errorf("search results (-before +after):\n%s", diff)
	}
	got, err := stack.Client.GetRemediation(t.Context(), "split-2")
	const stored = "SELECT signature_id::text FROM remediation_audit WHERE remediation_id = 'split-2'"
	if err != nil || got.SignatureID != queryValue[string](t, stack.Database.ReaderURL(), stored) {
		t.Errorf("%+v %v", got, err)
	}
	done = runMaintenance(t, stack)
	done.Models, done.NearDuplicates = nil, 0
	if diff := gocmp.Diff(maintain.Done{}, done); diff != "" {
		t.Errorf("a second run (-want +got):\n%s", diff)
	}
}

// foundNow returns "mode query: remediation, occurrences" of the first results of some searches. It leaves out
// scores, which depend on the number of signatures.
func foundNow(tb testing.TB, stack *endtoend.Stack) []string {
	tb.Helper()
	var lines []string
	for _, mode := range []client.SearchMode{"semantic", "lexical", "hybrid"} {
		for _, query := range []string{"trouble with baaa", "trouble with much", unicode} {
			found := searchIncidents(tb, stack, client.SearchInput{Query: query, Mode: &mode, Limit: new(1)})
			for _, result := range found {
				lines = append(lines, fmt.Sprintf("%s %s: %s, %d", mode, query, result.Remediations[0].RemediationID, result.Occurrences))
			}
		}
	}
	return lines
}

// load writes and searches until it is stopped.
type load struct {
	t                          *testing.T
	stack                      *endtoend.Stack
	created, updated, searched atomic.Int64
	ctx                        context.Context
	stop                       context.CancelFunc
	running                    sync.WaitGroup
}

// startLoad starts creates of known and of new incidents, batches, updates of texts and of metadata of the n
// remediations of anyTroubles, and searches in a namespace that changes only by renormalizing, so that each
// search must find its ten.
func startLoad(t *testing.T, stack *endtoend.Stack, n int) *load {
	t.Helper()
	l := &load{t: t, stack: stack}
	l.ctx, l.stop = context.WithCancel(t.Context())
	for worker := range 2 {
		l.repeat(func(i int) error {
			_, err := stack.Client.CreateRemediation(t.Context(), remediationWithError(fmt.Sprintf("known-%d-%d", worker, i), "trouble with "+numberAsLetters(i%150)))
			l.created.Add(1)
			return err
		})
		l.repeat(func(i int) error {
			// The remediations of two workers overlap.
			id := fmt.Sprintf("before-%05d", (7*i+3*worker)%n)
			_, err := stack.Client.UpdateRemediation(t.Context(), id, newMessage(fmt.Sprintf("trouble with %s", numberAsLetters(i%200))))
			l.updated.Add(1)
			return err
		})
		l.repeat(func(int) error {
			mode := []client.SearchMode{"semantic", "lexical", "hybrid"}[rand.IntN(3)]
			results, err := stack.Client.Search(t.Context(), client.SearchInput{
				Query: "trouble with aaaa", Mode: &mode, Limit: new(10), Filters: &client.SearchFilters{Namespace: new("quiet")},
			})
			if err == nil && (len(results.Data) != 10 || len(results.Search.Degraded) > 0) {
				err = fmt.Errorf("found %d by %s, without %v", len(results.Data), mode, results.Search.Degraded)
			}
			l.searched.Add(1)
			return err
		})
	}
	l.repeat(func(i int) error {
		results, err := stack.Client.CreateRemediations(t.Context(), manyRecords(20, func(j int) client.RemediationInput {
			return remediationWithError(fmt.Sprintf("batch-%d-%d", i, j), "trouble with "+numberAsLetters(100*i+j))
		}))
		for _, result := range results {
			err = errors.Join(err, result.Err())
		}
		l.created.Add(20)
		return err
	})
	l.repeat(func(i int) error {
		_, err := stack.Client.UpdateRemediation(t.Context(), fmt.Sprintf("before-%05d", 11*i%n), client.RemediationUpdate{
			Metadata: client.Metadata(fmt.Sprintf(`{"n":%d}`, i)),
		})
		l.updated.Add(1)
		return err
	})
	return l
}

// repeat calls do repeatedly until the load ends.
func (l *load) repeat(do func(i int) error) {
	l.running.Go(func() {
		for i := 0; l.ctx.Err() == nil; i++ {
			if err := do(i); err != nil {
				l.t.Error(err)
			}
		}
	})
}

func (l *load) stopAndWait() {
	l.stop()
	l.running.Wait()
	l.t.Logf("%d created, %d updated, %d searches", l.created.Load(), l.updated.Load(), l.searched.Load())
}

// TestRenormalizeUnderLoad renormalizes while writers create, change texts, change other fields and write
// batches, and searchers search: every write is accepted, every search finds its results, and afterwards each
// remediation has the signature of its current fields.
func TestRenormalizeUnderLoad(t *testing.T) {
	t.Parallel()
	const total, quiet = 900, 200
	env := map[string]string{"DATASTORAGE_DATABASE_MAX_CONNS": "12"}
	stack := endtoend.New(t, endtoend.Options{Env: env})
	createAll(t, stack, mixedIncidents(total, 150))
	createAll(t, stack, manyRecords(quiet, func(i int) client.RemediationInput {
		record := remediationWithError(fmt.Sprint("quiet-", i), "trouble with "+numberAsLetters(i%20))
		record.Namespace = "quiet"
		return record
	}))
	stack = signByVersion1(t, stack, env)
	l := startLoad(t, stack, total)
	var renormalized int64
	for {
		done := runMaintenance(t, stack)
		renormalized += done.Renormalized
		if done.ToRenormalize == 0 && done.Dropped == 0 {
			break
		}
	}
	l.stopAndWait()
	if renormalized == 0 {
		t.Error("the maintenance run renormalized nothing: the writers were first")
	}
	runMaintenance(t, stack)
	allRenormalized(t, stack, total+quiet+int(l.created.Load()))
	noDeadlock(t, stack)
}

// TestRenormalizeIsKilled ends maintenance runs at any moment, by canceling their context or by terminating
// their sessions: what is done so far is correct, semantic search still finds everything, and a last run
// completes the work.
func TestRenormalizeIsKilled(t *testing.T) {
	t.Parallel()
	const total = 1500
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, mixedIncidents(total, 400))
	stack = signByVersion1(t, stack, nil)
	before := rowsToKeep(t, stack)
	killer := connect(t, stack.Database.SuperuserURL())
	killed := 0
	for round := range 40 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := stack.Functions.Maintain.Invoke(ctx)
			ended <- err
		}()
		for range round % 3 {
			time.Sleep(rand.N(50 * time.Millisecond))
			mustExec(t, killer, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND usename = 'datastorage_writer'`)
		}
		time.Sleep(rand.N(100 * time.Millisecond))
		cancel()
		err := <-ended
		if wrong := wrongSignatures(t, stack, true); len(wrong) > 0 {
			t.Fatalf("round %d: %d have a wrong signature, such as %s", round, len(wrong), wrong[0])
		}
		if err != nil {
			killed++
			continue
		}
		if killed >= 3 {
			break
		}
		// The run completed before it could be killed.
		runMaintenance(t, stack)
		stack = signByVersion1(t, stack, nil)
	}
	if killed < 3 {
		t.Errorf("only %d runs were killed", killed)
	}
	runMaintenance(t, stack)
	allRenormalized(t, stack, total)
	if diff := gocmp.Diff(before[:total], rowsToKeep(t, stack)[:total]); diff != "" {
		t.Errorf("what must not change (-before +after):\n%s", diff)
	}
}

// TestRenormalizeTwiceAtOnce runs maintenance in two sandboxes concurrently: each
// remediation is renormalized by one of them.
func TestRenormalizeTwiceAtOnce(t *testing.T) {
	t.Parallel()
	const total = 1200
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, mixedIncidents(total, 100))
	stack = signByVersion1(t, stack, nil)
	stacks := []*endtoend.Stack{stack, endtoend.New(t, endtoend.Options{Database: stack.Database})}
	for round := range 2 {
		var renormalized, dropped, left atomic.Int64
		var running sync.WaitGroup
		for _, s := range stacks {
			running.Go(func() {
				done := runMaintenance(t, s)
				renormalized.Add(done.Renormalized)
				dropped.Add(done.Dropped)
				left.Store(done.ToRenormalize)
			})
		}
		running.Wait()
		if want := int64(total * (1 - round)); renormalized.Load() != want || left.Load() != 0 {
			t.Errorf("round %d: %d renormalized, %d left, want %d and none", round, renormalized.Load(), left.Load(), want)
		}
	}
	runMaintenance(t, stack)
	allRenormalized(t, stack, total)
	noDeadlock(t, stack)
}

// TestRenormalizeWaitsForVectors renormalizes to signatures that need new vectors: while the provider is down,
// remediations keep their old signatures, which are found, and then move on. A text that the provider refuses
// does not wait forever.
func TestRenormalizeWaitsForVectors(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()})
	createAll(t, stack, manyRecords(60, func(i int) client.RemediationInput {
		return remediationWithError(fmt.Sprint("r-", i), pickByIndex(i, "disk is full", "certificate has expired", "unspeakable trouble"))
	}))
	stack = signByVersion1(t, stack, provider.env())
	// The old text is changed, as if by another normalizer, so that its vector cannot be reused.
	execSQL(t, stack.Database.AdminURL(), "UPDATE signature SET text = text || ' as it was' WHERE text NOT LIKE '%full%'")
	provider.failWith(providerFailures()["refuses the key"])
	for range 2 {
		done, err := stack.Functions.Maintain.Invoke(t.Context())
		if err == nil || done.ToRenormalize != 40 {
			t.Errorf("with the provider down, the run returned %+v, %v; want 40 left and the provider's error", done, err)
		}
	}
	moved := queryRows[string](t, stack.Database.ReaderURL(), `SELECT DISTINCT r.error_message FROM remediation_audit AS r
		JOIN signature AS s ON s.id = r.signature_id WHERE s.normalizer > 1`)
	if !slices.Equal(moved, []string{"disk is full"}) {
		t.Errorf("renormalized: %q", moved)
	}
	if n := queryValue[int](t, stack.Database.ReaderURL(), `SELECT count(*) FROM remediation_audit AS r
		WHERE NOT EXISTS (SELECT FROM embedding AS e WHERE e.signature_id = r.signature_id)`); n != 0 {
		t.Errorf("semantic search does not find %d of them", n)
	}
	provider.recover()
	provider.refuse("unspeakable")
	done := runMaintenance(t, stack)
	if done.Renormalized != 40 || done.ToRenormalize != 0 || done.Embedded != 1 || done.Refused != 1 {
		t.Errorf("with the provider up again, the run returned %+v", done)
	}
	found := searchIncidents(t, stack, client.SearchInput{Query: "certificate has expired", Mode: new(client.SearchModeSemantic), Limit: new(1)})
	if len(found) != 1 || found[0].Occurrences != 20 {
		t.Errorf("found %+v", found)
	}
	if wrong := wrongSignatures(t, stack, false); len(wrong) != 20 || !strings.HasSuffix(wrong[0], "has 0 vectors") {
		t.Errorf("wrong are %q, want that the refused have no vectors", wrong)
	}
}

// TestSearchesFollowRenormalization runs a whole maintenance run between any two statements of a search: the
// old signatures that the first statement found no longer exist, and the search still finds the incidents.
func TestSearchesFollowRenormalization(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"SearchCandidates", "SearchAlike", "IncidentOutcomes", "IncidentRemediations"} {
		for _, mode := range []client.SearchMode{"semantic", "lexical", "hybrid"} {
			if statement == "SearchCandidates" && mode == "semantic" || statement == "SearchAlike" && mode != "hybrid" {
				continue // this mode does not run the statement
			}
			t.Run(fmt.Sprint(statement, " ", mode), func(t *testing.T) {
				t.Parallel()
				before := endtoend.New(t, endtoend.Options{})
				createAll(t, before, mixedIncidents(40, 5))
				other := signByVersion1(t, before, nil)
				var tap *postgrestest.Tap
				stack := endtoend.New(t, endtoend.Options{Database: before.Database, Through: func(url string) string {
					if !strings.Contains(url, "reader") {
						return url
					}
					tap = postgrestest.NewTap(t, url)
					return tap.URL()
				}})
				tap.Before(statement, 0, func() {
					if done := runMaintenance(t, other); done.Renormalized != 40 || done.Dropped != 5 {
						t.Errorf("the run returned %+v", done)
					}
				})
				found := searchIncidents(t, stack, client.SearchInput{Query: "trouble with aaaa", Mode: &mode})
				occurrences := int64(0)
				for _, result := range found {
					occurrences += result.Occurrences
					if len(result.Remediations) == 0 {
						t.Errorf("none of the remediations of %s", result.IncidentID)
					}
				}
				if len(found) != 5 || occurrences != 40 {
					t.Errorf("found %d incidents with %d remediations, want 5 with 40", len(found), occurrences)
				}
			})
		}
	}
}
