package search_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/search"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

// fixture is a database with remediations of ten incidents, r-0 to r-9, and a store that reads from
// it through a tap.
type fixture struct {
	database *postgrestest.Database
	tap      *postgrestest.Tap
	store    *postgres.Store
	models   embedding.Models
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	f := fixture{database: postgrestest.New(t), models: openModels(t, postgrestest.Dimensions)}
	f.appendRemediations(t)
	f.tap = postgrestest.NewTap(t, f.database.ReaderURL())
	f.store = openStore(t, f.tap.URL(), "")
	return f
}

func openModels(t *testing.T, dimensions int) embedding.Models {
	t.Helper()
	hashing := embedding.Settings{Provider: "hashing", Dimensions: dimensions, Deadline: time.Minute}
	models, err := embedding.OpenModels(t.Context(), hashing, embedding.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return models
}

func openStore(t *testing.T, url, model string) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{URL: url, Model: model})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func (f fixture) appendRemediations(t *testing.T) {
	t.Helper()
	var remediations []audit.Record
	for i, message := range []string{
		"disk of the node is full", "disk is nearly full", "certificate has expired", "pod is in CrashLoopBackOff", "image cannot be pulled",
		"node is not ready", "connection was refused", "container was OOMKilled", "volume cannot be attached", "database is locked",
	} {
		remediations = append(remediations, &audit.Remediation{
			RemediationID: fmt.Sprint("r-", i), Name: "Trouble", Namespace: "shop", Severity: audit.SeverityUnknown, ActionType: "restart_pod",
			Phase: audit.PhaseCompleted, Status: audit.StatusSuccess, StartTime: time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC),
			ErrorMessage: &message, Metadata: audit.EmptyMetadata,
		})
	}
	f.appendEntries(t, remediations...)
}

func (f fixture) appendEntries(t *testing.T, records ...audit.Record) {
	t.Helper()
	entries := make([]audit.Entry, len(records))
	signatures := make([]audit.Signature, len(records))
	for i, record := range records {
		entry, err := audit.NewEntry(record, "tester", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		entries[i], signatures[i] = entry, entry.Signature
	}
	vectors, err := f.models[0].Documents(t.Context(), signatures, nil)
	if err != nil {
		t.Fatal(err)
	}
	writer := openStore(t, f.database.WriterURL(), postgrestest.Model)
	written, err := writer.Append(t.Context(), entries, &postgres.AppendOptions{Vectors: vectors})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range written {
		if w.Err != nil {
			t.Fatal(w.Err)
		}
	}
}

// newQuery returns a query that finds all ten incidents.
func newQuery(mode search.Mode) search.Query {
	return search.Query{
		Mode: mode, Text: "Trouble: disk is full", Filter: audit.Filter{Namespaces: []string{"shop"}}, Limit: 10, Newest: 1, MinScore: -1,
	}
}

// countStatements returns the number of statements that the tap saw, by name.
func (f fixture) countStatements() map[string]int {
	counts := map[string]int{}
	for _, statement := range f.tap.Statements() {
		counts[statement.Name()]++
	}
	return counts
}

// TestFindStatements checks that a search without errors executes each of its statements once.
func TestFindStatements(t *testing.T) {
	t.Parallel()
	for mode, want := range map[search.Mode]map[string]int{
		search.Semantic: {"SearchCount": 1, "SearchNearest": 1, "IncidentOutcomes": 1, "IncidentRemediations": 1},
		search.Lexical: {
			"SearchCount": 1, "LexicalStatistics": 1, "LexicalFrequencies": 1, "SearchLexicalFew": 1, "SearchCandidates": 1,
			"IncidentOutcomes": 1, "IncidentRemediations": 1,
		},
		search.Hybrid: {
			"SearchCount": 1, "SearchNearest": 1, "LexicalStatistics": 1, "LexicalFrequencies": 1, "SearchLexicalFew": 1,
			"SearchCandidates": 1, "SearchAlike": 1, "IncidentOutcomes": 1, "IncidentRemediations": 1,
		},
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			result, err := search.Find(t.Context(), f.store, f.models, newQuery(mode))
			if err != nil || len(result.Incidents) != 10 {
				t.Fatalf("found %d incidents (%v), want 10", len(result.Incidents), err)
			}
			got := f.countStatements()
			delete(got, "EmbeddingModelList") // cached
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFindAttempts checks that the attempts of a search are limited, whichever statements fail.
func TestFindAttempts(t *testing.T) {
	t.Parallel()
	statements := []string{"SearchLexicalFew", "SearchCandidates", "SearchAlike", "IncidentOutcomes", "IncidentRemediations"}
	for failures, wantErr := range map[int]error{postgres.Attempts - 1: nil, postgres.Attempts: audit.ErrUnavailable} {
		t.Run(fmt.Sprint(failures, " connections cut"), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			for _, statement := range statements[:failures] {
				f.tap.CutBefore(statement, 0)
			}
			result, err := search.Find(t.Context(), f.store, f.models, newQuery(search.Hybrid))
			f.checkAttempts(t, result, err, wantErr)
		})
	}
}

// checkAttempts checks that every attempt was used, and the error or all ten incidents.
func (f fixture) checkAttempts(t *testing.T, result search.Result, err, wantErr error) {
	t.Helper()
	if !errors.Is(err, wantErr) || wantErr == nil && len(result.Incidents) != 10 {
		t.Errorf("found %d incidents, error %v; want 10 or error %v", len(result.Incidents), err, wantErr)
	}
	if got := f.countStatements()["LexicalStatistics"]; got != postgres.Attempts {
		t.Errorf("%d attempts, want %d", got, postgres.Attempts)
	}
}

// TestFindAttemptsReplaced checks that signatures replaced between two statements restart the
// search, within the same limit.
func TestFindAttemptsReplaced(t *testing.T) {
	t.Parallel()
	for replaced, wantErr := range map[int]error{postgres.Attempts - 1: nil, postgres.Attempts: audit.ErrUnavailable} {
		t.Run(fmt.Sprint(replaced, " signatures replaced"), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			for i := range replaced {
				f.tap.Before("SearchCandidates", 0, func() { f.replaceSignature(t, fmt.Sprint("r-", i)) })
			}
			result, err := search.Find(t.Context(), f.store, f.models, newQuery(search.Hybrid))
			f.checkAttempts(t, result, err, wantErr)
		})
	}
}

// replaceSignature gives the signature of a remediation another ID.
func (f fixture) replaceSignature(t *testing.T, remediation string) {
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, f.database.AdminURL())
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, sql := range []string{
		`CREATE TEMP TABLE replaced AS
			SELECT s.id AS was, md5(s.id::text)::uuid AS now
			FROM signature AS s JOIN remediation_audit AS r ON r.signature_id = s.id WHERE r.remediation_id = '` + remediation + `'`,
		`INSERT INTO signature (id, incident_id, text, normalizer, terms, counts, length, analyzer)
			SELECT r.now, s.incident_id, s.text, s.normalizer, s.terms, s.counts, s.length, s.analyzer
			FROM replaced AS r JOIN signature AS s ON s.id = r.was`,
		`INSERT INTO embedding (model_id, signature_id, vector)
			SELECT e.model_id, r.now, e.vector FROM replaced AS r JOIN embedding AS e ON e.signature_id = r.was`,
		`UPDATE remediation_audit AS a SET signature_id = r.now FROM replaced AS r WHERE a.signature_id = r.was`,
		`DELETE FROM embedding WHERE signature_id IN (SELECT was FROM replaced)`,
		`DELETE FROM signature WHERE id IN (SELECT was FROM replaced)`,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestFindWithoutProvider checks that, without a provider of the active model, a hybrid search uses
// the lexical retriever alone and a semantic search fails immediately.
func TestFindWithoutProvider(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	others := openModels(t, 2*postgrestest.Dimensions)
	hybrid, err := search.Find(t.Context(), f.store, others, newQuery(search.Hybrid))
	if err != nil || !errors.Is(hybrid.Degraded, audit.ErrUnavailable) || hybrid.Model != "" {
		t.Errorf("error %v, degraded by %v, model %q; want it degraded by %v", err, hybrid.Degraded, hybrid.Model, audit.ErrUnavailable)
	}
	lexical, err := search.Find(t.Context(), f.store, others, newQuery(search.Lexical))
	if diff := cmp.Diff(lexical.Incidents, hybrid.Incidents); err != nil || diff != "" {
		t.Errorf("error %v; the degraded search differs from the lexical one (-lexical +degraded):\n%s", err, diff)
	}
	f.tap.Reset()
	_, err = search.Find(t.Context(), f.store, others, newQuery(search.Semantic))
	if !errors.Is(err, audit.ErrUnavailable) {
		t.Errorf("semantic search: %v, want %v", err, audit.ErrUnavailable)
	}
	if got := f.countStatements()["EmbeddingModelList"]; got > 1 {
		t.Errorf("%d attempts of a semantic search without a provider, want 1", got)
	}
}

// TestFindExample checks that a search by example returns the example's own incident separately,
// outside the limit and without the example.
func TestFindExample(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	example, err := f.store.Remediation(t.Context(), "r-0")
	if err != nil {
		t.Fatal(err)
	}
	query := newQuery(search.Hybrid)
	query.Example, query.Limit = &example, 3
	alone, err := search.Find(t.Context(), f.store, f.models, query)
	if err != nil || alone.Recurrence != nil || len(alone.Incidents) != 3 {
		t.Errorf("%+v %v, want 3 incidents and no recurrence", alone, err)
	}
	// Another occurrence of the same incident.
	recurring := example.Remediation
	recurring.RemediationID = "recurring"
	f.appendEntries(t, &recurring)
	both, err := search.Find(t.Context(), f.store, f.models, query)
	if err != nil || both.Recurrence == nil || both.Recurrence.Total != 1 || both.Recurrence.Newest[0].RemediationID != "recurring" {
		t.Fatalf("recurrence %+v, error %v; want recurring alone", both.Recurrence, err)
	}
	if diff := cmp.Diff(alone.Incidents, both.Incidents); diff != "" {
		t.Errorf("the other incidents are not the same (-before +after):\n%s", diff)
	}
}
