package postgres_test

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// orderSignatures is the number of signatures that fillOrders inserts.
const orderSignatures = 2_000

// fillOrders inserts remediations of signatures whose vectors are so close to each other that the
// index, which rounds normalized vectors, delivers them in an order that is only roughly that of the
// distances. Without full sorts and hash joins, plans rely on that order wherever the planner
// believes in it, as they do at other sizes.
func fillOrders(t *testing.T, db *postgrestest.Database) {
	t.Helper()
	const signatures, each = orderSignatures, 12
	execSQL(t, db.SuperuserURL(), "SELECT setseed(0.5)", "SET session_replication_role = replica",
		fmt.Sprintf("INSERT INTO signature (id, text, normalizer) SELECT md5('s' || s)::uuid, 'text ' || s, %d FROM generate_series(1, %d) AS s",
			signature.Version, signatures),
		fmt.Sprintf(`INSERT INTO signature_term (term, signature_id, count, length)
			SELECT %d, md5('s' || s)::uuid, 1 + s %% 3, 10 + s %% 50 FROM generate_series(1, %d) AS s`, lexical.Analyze("word").Terms[0], signatures),
		fmt.Sprintf(`INSERT INTO embedding (model_id, signature_id, vector)
			SELECT 1, md5('s' || s)::uuid, ARRAY(
				SELECT 0.3 * sin(d) + 0.02 * random() + 0 * s FROM generate_series(1, %d) AS d
			)::real[]::vector::halfvec
			FROM generate_series(1, %d) AS s`, postgrestest.Dimensions, signatures),
		fmt.Sprintf(`INSERT INTO remediation_audit (remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint,
			action_type, target_resource, phase, status, start_time, signature_id, actor, event_id, created_at, updated_at)
			SELECT 'r' || i, 'n', 'namespace ' || i %% 4, 'c', 'test', 'low', 'f', 'a', 't', 'completed', 'success',
				'2026-01-01'::timestamptz + random() * interval '1 day', md5('s' || 1 + i %% %d)::uuid, 'a', gen_random_uuid(),
				'2026-01-01'::timestamptz + random() * interval '1 day', now()
			FROM generate_series(1, %d) AS i`, signatures, signatures*each),
		"VACUUM ANALYZE", "ALTER DATABASE "+db.Name+" SET enable_sort = off", "ALTER DATABASE "+db.Name+" SET enable_hashjoin = off")
}

// TestOrders checks every order that is promised of what is read by an index, among more rows than an
// incremental sort puts into one group (32).
func TestOrders(t *testing.T) {
	t.Parallel()
	const limit = 200
	db := postgrestest.New(t)
	fillOrders(t, db)
	store := openStore(t, db.WriterURL())
	since := time.Date(2026, 1, 1, 18, 0, 0, 0, time.UTC)
	//nolint:paralleltest // the statements of one store are counted
	for name, f := range map[string]audit.Filter{
		"everything": {}, "a quarter": {Namespaces: []string{"namespace 1"}}, "few": {Since: &since},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range 10 {
				checkNearestOrder(t, store, numberedVector(i), f, limit)
			}
			checkLexicalOrder(t, store, f, limit)
			checkListOrders(t, store, f, limit)
		})
	}
	page, err := store.IncidentEvents(t.Context(), postgres.IncidentFilter{}, limit, nil)
	if err != nil || len(page.Data) != limit || !slices.IsSortedFunc(page.Data, func(a, b audit.IncidentEvent) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	}) {
		t.Errorf("%d events (%v), want %d, newest first", len(page.Data), err, limit)
	}
}

// checkNearestOrder searches by one statement: by the index, or by all distances if few match.
func checkNearestOrder(t *testing.T, store tapped, query []float32, f audit.Filter, limit int) {
	t.Helper()
	store.Tap.Reset()
	found, err := store.Nearest(t.Context(), query, f, limit)
	if err != nil || len(found) != limit {
		t.Fatalf("%d found (%v), want %d", len(found), err, limit)
	}
	if !slices.IsSortedFunc(found, func(a, b postgres.Nearest) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), bytes.Compare(a.SignatureID[:], b.SignatureID[:]))
	}) {
		t.Error("not nearest first")
	}
	searches := slices.DeleteFunc(store.Tap.Statements(), func(s postgrestest.Statement) bool { return s.Name() != "SearchNearest" })
	if len(searches) != 1 {
		t.Errorf("%d searches, want one", len(searches))
	}
}

func checkListOrders(t *testing.T, store tapped, f audit.Filter, limit int) {
	t.Helper()
	for _, ascending := range []bool{false, true} {
		page, err := store.List(t.Context(), f, audit.PageRequest{Limit: limit, Ascending: ascending})
		if ascending {
			slices.Reverse(page.Data)
		}
		if err != nil || len(page.Data) != limit || !slices.IsSortedFunc(page.Data, func(a, b audit.Stored) int {
			return cmp.Or(b.StartTime.Compare(a.StartTime), cmp.Compare(b.ID, a.ID))
		}) {
			t.Errorf("%d listed (%v), want %d by time, ascending %t", len(page.Data), err, limit, ascending)
		}
	}
}

// checkLexicalOrder compares the order of a lexical search with the score of the only term.
func checkLexicalOrder(t *testing.T, store tapped, f audit.Filter, limit int) {
	t.Helper()
	scorer, statistics, err := store.Weigh(t.Context(), lexical.Parse("word"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.Lexical(t.Context(), scorer, statistics, f, limit)
	if err != nil || len(found) != limit {
		t.Fatalf("%d found (%v), want %d", len(found), err, limit)
	}
	documents := map[audit.ID]lexical.Document{}
	for i := 1; i <= orderSignatures; i++ {
		documents[md5.Sum(fmt.Append(nil, "s", i))] = lexical.Document{Terms: lexical.Analyze("word").Terms, Counts: []int16{int16(1 + i%3)}, Length: int32(10 + i%50)}
	}
	if !slices.IsSortedFunc(found, func(a, b audit.ID) int {
		first, _ := scorer.Score(documents[a])
		second, _ := scorer.Score(documents[b])
		return cmp.Or(cmp.Compare(second, first), bytes.Compare(a[:], b[:]))
	}) {
		t.Error("a lexical search is not best first")
	}
}
