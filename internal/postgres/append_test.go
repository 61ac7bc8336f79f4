package postgres_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func open(tb testing.TB, url string) *postgres.Store {
	tb.Helper()
	store, err := postgres.Open(tb.Context(), postgres.Config{URL: url, Model: postgrestest.Model})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(store.Close)
	return store
}

func pointer[T any](v T) *T { return &v }

func sample(id string) *audit.Remediation {
	return &audit.Remediation{
		RemediationID: id, Name: "KubePodCrashLooping", Namespace: "shop", ActionType: "restart_pod", Severity: "high",
		TargetResource: pointer("pod/api-1"), Phase: audit.PhaseCompleted, Status: "success",
		StartTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), EndTime: pointer(time.Date(2026, 1, 2, 3, 5, 5, 0, time.UTC)),
		DurationMS: pointer(int64(60000)), ErrorMessage: pointer("back-off restarting failed container"),
		Metadata: `{"a":1700000000123456789}`,
	}
}

func entry(tb testing.TB, record audit.Record) audit.Entry {
	tb.Helper()
	e, err := audit.NewEntry(record, "tester", time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func TestAppendThenRead(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := open(t, db.WriterURL())
	e := entry(t, sample("r1"))
	vector := make([]float32, postgrestest.Dimensions)
	vector[3] = 1
	written, err := store.Append(t.Context(), []audit.Entry{e}, postgres.Vectors{e.Signature.ID: vector})
	if err != nil || written[0].Err != nil {
		t.Fatal(err, written)
	}
	got, err := store.Remediation(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*sample("r1"), got.Remediation); diff != "" {
		t.Error(diff)
	}
	history, err := store.History(t.Context(), "r1", 10, nil)
	t.Log(history, err, written)
	up := &audit.Update{RemediationID: "r1", Phase: pointer(audit.PhaseCompleted), Status: pointer(audit.Status("failure"))}
	w, err := store.Append(t.Context(), []audit.Entry{entry(t, up)}, nil)
	t.Log(w, err)
	e2 := entry(t, &audit.AIAnalysis{RemediationID: "r1", AnalysisID: "a", Provider: "p", Model: "m", Metadata: "{}", ConfidenceScore: pointer(0.25)})
	w, err = store.Append(t.Context(), []audit.Entry{e2}, nil)
	t.Log(w, err)
	ch, err := store.Children(t.Context(), "r1")
	t.Log(ch, err)
	l, err := store.List(t.Context(), audit.Filter{Namespaces: []string{"shop"}}, audit.Page{Limit: 10, Total: true})
	t.Log(l, err)
	n, err := store.Nearest(t.Context(), vector, audit.Filter{}, 5)
	t.Log(n, err)
	o, err := store.Occurrences(t.Context(), []audit.ID{e.Signature.ID}, audit.Filter{}, 3)
	t.Log(o[e.Signature.ID], err)
	ie, err := store.IncidentEvents(t.Context(), postgres.IncidentFilter{}, 5, nil)
	t.Log(ie, err)
	t.Log(store.Ready(t.Context(), 7))
	t.Log(store.PartitionsAhead(t.Context(), 5))
	t.Log(store.CursorKey(t.Context()))
}
