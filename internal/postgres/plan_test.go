package postgres_test

import (
	"cmp"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// The sizes of the tables.
const (
	planRemediations = 200_000
	planSignatures   = 20_000
	planVectors      = 2_000  // distinct ones: indexing as many as signatures takes a third of the test's time
	planChildren     = 20_000 // and journal entries
)

// fillTables inserts the remediations of an installation's first year: most have one of a few names,
// namespaces and clusters, some values are rare, and nearly all are finished. It creates the
// indexes afterwards, which is faster.
func fillTables(tb testing.TB, db *postgrestest.Database) {
	tb.Helper()
	// An index of the partitioned table cannot be dropped in a partition.
	const of = ` FROM pg_index WHERE indrelid IN ('remediation_audit'::regclass, 'embedding_1'::regclass) AND NOT indisunique
		AND indexrelid NOT IN (SELECT inhrelid FROM pg_inherits)`
	create := queryRows[string](tb, db.AdminURL(), "SELECT pg_get_indexdef(indexrelid)"+of)
	drop := queryRows[string](tb, db.AdminURL(), "SELECT 'DROP INDEX ' || indexrelid::regclass"+of)
	if len(create) < 10 {
		tb.Fatalf("the tables have the indexes %q", create)
	}
	execSQL(tb, db.SuperuserURL(), slices.Concat(drop, fillStatements(), create, []string{"VACUUM ANALYZE"})...)
}

func fillStatements() []string {
	return []string{
		"SELECT setseed(0.5)",
		"SET maintenance_work_mem = '256MB'",
		// The rows satisfy the foreign keys by construction.
		"SET session_replication_role = replica",
		// Triggers do not fire here either.
		fmt.Sprintf(`INSERT INTO signature (id, text, normalizer, length, analyzer)
			SELECT md5('s' || s)::uuid, 'signature ' || s, %d, 10, 1 FROM generate_series(1, %d) AS s`, signature.Version, planSignatures),
		insertPostings("signature", 3), insertPostings("word5", 10), insertPostings("77", 1000),
		// The other words of the texts, which queries do not contain.
		fmt.Sprintf(`INSERT INTO signature_term (term, signature_id, count, length)
			SELECT 100 * w + floor(100 * random() * random()), md5('s' || s)::uuid, 1, 10
			FROM generate_series(1, %d) AS s, generate_series(1, 30) AS w`, planSignatures),
		fmt.Sprintf(`INSERT INTO embedding (model_id, signature_id, vector)
			SELECT 1, md5('s' || s)::uuid, v.vector
			FROM (
				SELECT v, ARRAY(SELECT random() - 0.5 + 0 * v FROM generate_series(1, %d))::real[]::vector::halfvec AS vector
				FROM generate_series(1, %[2]d) AS v
			) AS v
			CROSS JOIN generate_series(v.v, %d, %[2]d) AS s`, postgrestest.Dimensions, planVectors, planSignatures),
		fmt.Sprintf(`INSERT INTO remediation_audit (remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint,
			action_type, target_resource, phase, status, start_time, signature_id, actor, event_id, created_at, updated_at)
		SELECT 'r' || i, 'name ' || floor(50 * power(random(), 3)), 'namespace ' || floor(200 * power(random(), 3)),
			'cluster ' || floor(20 * power(random(), 2)),
			(ARRAY['production', 'staging', 'development', 'test'])[1 + floor(4 * power(random(), 2))],
			(ARRAY['medium', 'high', 'low', 'critical', 'info', 'unknown'])[1 + floor(6 * power(random(), 2))],
			'print ' || floor(5000 * random()), 'action ' || floor(15 * power(random(), 2)), 'pod/' || floor(2000 * power(random(), 2)),
			(ARRAY['completed', 'completed', 'completed', 'completed', 'completed', 'failed', 'processing', 'pending'])[1 + floor(8 * power(random(), 2))],
			(ARRAY['success', 'success', 'success', 'failure', 'running', 'pending'])[1 + floor(6 * power(random(), 2))],
			'2026-01-01'::timestamptz + random() * interval '365 days', md5('s' || 1 + floor(%d * power(random(), 2)))::uuid,
			'a', gen_random_uuid(), now(), now()
		FROM generate_series(1, %d) AS i`, planSignatures, planRemediations),
		fmt.Sprintf(`INSERT INTO audit_event (event_id, recorded_at, kind, remediation_id, actor, canonical, content_hash)
			SELECT gen_random_uuid(), now() + i * interval '1 minute', 'update', 'r' || i / 3, 'a', '{}', sha256('')
			FROM generate_series(1, %d) AS i`, planChildren),
		fmt.Sprintf(`INSERT INTO ai_analysis_audit (remediation_id, analysis_id, provider, model, actor, event_id, created_at)
			SELECT 'r' || i / 3, i, 'p', 'm', 'a', gen_random_uuid(), now() FROM generate_series(1, %d) AS i`, planChildren),
		fmt.Sprintf(`INSERT INTO workflow_audit (remediation_id, workflow_id, phase, total_steps, completed_steps, start_time, actor, event_id, created_at)
			SELECT 'r' || i / 3, i, 'planning', 0, 0, now(), 'a', gen_random_uuid(), now() FROM generate_series(1, %d) AS i`, planChildren),
		fmt.Sprintf(`INSERT INTO execution_audit (remediation_id, workflow_id, execution_id, action_type, success, start_time, actor, event_id, created_at)
			SELECT 'r' || i / 3, 'w', i, 'a', true, now(), 'a', gen_random_uuid(), now() FROM generate_series(1, %d) AS i`, planChildren),
	}
}

// insertPostings adds a word to every of-th signature.
func insertPostings(word string, of int) string {
	return fmt.Sprintf(`INSERT INTO signature_term (term, signature_id, count, length)
		SELECT %d, md5('s' || s)::uuid, 1, 10 FROM generate_series(1, %d, %d) AS s`, lexical.Analyze(word).Terms[0], planSignatures, of)
}

// planFilters returns filters by one field each, for a common value and for a rare one of fillStatements.
func planFilters() map[string][]audit.Filter {
	ids := func(of string) []audit.ID { return []audit.ID{audit.ID(md5.Sum([]byte(of)))} }
	day := func(n int) *time.Time { return new(time.Date(2026, 1, 1+n, 0, 0, 0, 0, time.UTC)) }
	return map[string][]audit.Filter{
		"id":                {{IDs: []int64{5, 77777}}},
		"remediation_id":    {{RemediationIDs: []string{"r5", "r77777"}}},
		"name":              {{Names: []string{"name 0"}}, {Names: []string{"name 48", "name 49"}}},
		"namespace":         {{Namespaces: []string{"namespace 0"}}, {Namespaces: []string{"namespace 199"}}},
		"phase":             {{Phases: []string{"completed"}}, {Phases: []string{"pending"}}},
		"status":            {{Statuses: []string{"success"}}, {Statuses: []string{"pending", "running"}}},
		"severity":          {{Severities: []string{"medium"}}, {Severities: []string{"unknown"}}},
		"environment":       {{Environments: []string{"production"}}, {Environments: []string{"test"}}},
		"cluster_name":      {{ClusterNames: []string{"cluster 0"}}, {ClusterNames: []string{"cluster 19"}}},
		"action_type":       {{ActionTypes: []string{"action 0"}}, {ActionTypes: []string{"action 13", "action 14"}}},
		"alert_fingerprint": {{AlertFingerprints: []string{"print 1"}}},
		"target_resource":   {{TargetResources: []string{"pod/0"}}, {TargetResources: []string{"pod/1999"}}},
		"signature_id":      {{SignatureIDs: ids("s1")}, {SignatureIDs: ids("s19999")}},
		"since":             {{Since: day(1)}, {Since: day(364)}},
		"until":             {{Until: day(364)}, {Until: day(1)}},
		"between":           {{Since: day(100), Until: day(101)}},
	}
}

// mergeFilters returns a filter with the lists of all filters and the last of their times.
func mergeFilters(filters ...audit.Filter) audit.Filter {
	var all audit.Filter
	for _, f := range filters {
		for field, value := range reflect.ValueOf(f).Fields() {
			switch target := reflect.ValueOf(&all).Elem().FieldByIndex(field.Index); {
			case field.Type.Kind() == reflect.Slice:
				target.Set(reflect.AppendSlice(target, value))
			case !value.IsNil():
				target.Set(value)
			}
		}
	}
	return all
}

// planner explains the statements of a store.
type planner struct {
	tapped
	conn          *pgx.Conn
	URL, AdminURL string
	// planned has the names of the statements that were explained.
	planned map[string]bool
}

// node is a node of a plan as EXPLAIN (FORMAT JSON) writes it.
type node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Plans    []node
}

func (n node) all() []node {
	nodes := []node{n}
	for _, child := range n.Plans {
		nodes = append(nodes, child.all()...)
	}
	return nodes
}

// plan explains the last statement of the name, unnamed and with the parameters of its execution.
func (p planner) plan(tb testing.TB, name string) []node {
	tb.Helper()
	p.planned[name] = true
	for _, s := range slices.Backward(p.Tap.Statements()) {
		if s.Name() != name {
			continue
		}
		result := p.conn.PgConn().ExecParams(tb.Context(), "EXPLAIN (FORMAT JSON) "+s.SQL, s.Values, s.OIDs, s.Formats, nil).Read()
		if result.Err != nil {
			tb.Fatal(result.Err)
		}
		var plans []struct{ Plan node }
		if err := json.Unmarshal(result.Rows[0][0], &plans); err != nil {
			tb.Fatal(err)
		}
		return plans[0].Plan.all()
	}
	tb.Fatalf("no %s was sent", name)
	return nil
}

// large lists the tables that fillTables makes large.
var large = []string{
	"remediation_audit", "signature", "signature_term", "embedding_1", "ai_analysis_audit", "workflow_audit", "execution_audit",
	time.Now().UTC().AddDate(0, 0, 1).Format("audit_event_2006_01"),
}

// check fails the test if a plan scans a large table.
func (p planner) check(tb testing.TB, statement, what string) {
	tb.Helper()
	if nodes := p.plan(tb, statement); scansLarge(nodes) {
		tb.Errorf("%s, %s: %s", statement, what, describeScans(nodes))
	}
}

// scansLarge reports whether a plan scans a large table.
func scansLarge(nodes []node) bool {
	return slices.ContainsFunc(nodes, func(n node) bool { return n.Type == "Seq Scan" && slices.Contains(large, n.Relation) })
}

// describeScans lists the scans of a plan.
func describeScans(nodes []node) string {
	var used []string
	for _, n := range nodes {
		if n.Relation+n.Index != "" {
			used = append(used, strings.Join(strings.Fields(n.Type+" "+n.Relation+" "+n.Index), " "))
		}
	}
	return strings.Join(used, ", ")
}

// TestPlans checks that every statement over a large table has a plan that uses its indexes, with
// all filters and pages. Exceptions are the total of a filter that matches a large part of the
// table, for which a scan is right, and unplanned.
func TestPlans(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	fillTables(t, db)
	p := planner{tapped: openStore(t, db.WriterURL()), conn: connectTo(t, db.WriterURL()), URL: db.WriterURL(), AdminURL: db.AdminURL(), planned: map[string]bool{}}
	fields := planFilters()
	p.checkLists(t, fields)
	p.checkCounts(t, fields)
	p.checkSearches(t, fields)
	p.checkLexical(t, fields)
	p.checkReads(t)
	p.checkWrites(t)
	p.checkRenormalization(t)
	checkFewOfMany(t, db)
	for _, name := range statementNames(t) {
		if !p.planned[name] && !slices.Contains(unplanned, name) {
			t.Errorf("check the plan of %s, or add it to unplanned", name)
		}
	}
}

// unplanned lists the statements whose plans are not checked.
var unplanned = []string{
	// They read small tables.
	"CursorKey", "EmbeddingModelList", "LexicalStatistics", "StatsChangedDays", "Version",
	// They call functions, whose statements are planned separately.
	"AuditEventPartitionsAhead", "LexicalCount", "OutcomeMerge", "RemediationAppendKnown", "SignatureDrop", "StatsRollUp",
	// They read a large part of a table.
	"EmbeddingModelProgress", "SignatureAnalyze", "SignaturePending", "SignatureUnanalyzed",
	"StatsRates", "StatsRatesFiltered", "StatsTrend", "StatsTrendFiltered",
}

// statementNames returns the names of the statements in queries/.
func statementNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../queries/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^-- name: (\w+)`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, match[1])
		}
	}
	return names
}

func (p planner) checkLists(t *testing.T, fields map[string][]audit.Filter) {
	t.Helper()
	middle := &audit.Position{Time: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), ID: 100_000}
	pages := []audit.PageRequest{
		{Limit: 100},
		{Limit: 100, Ascending: true},
		{Limit: 100, After: middle},
		{Limit: 100, After: middle, Ascending: true},
		{Limit: 100, Offset: 100},
		{Limit: 1000},
		{Limit: 1000, Offset: 1000},
	}
	for name, filters := range fields {
		for _, f := range filters {
			if page, err := p.List(t.Context(), f, audit.PageRequest{Limit: 1}); err != nil || len(page.Data) == 0 {
				t.Errorf("%s of planFilters matches nothing (%v): add its values to fillStatements", name, err)
			}
		}
	}
	combinations := combineFilters(fields)
	if len(combinations) < 400 {
		t.Errorf("only %d combinations of filters", len(combinations))
	}
	// Executed on an empty database, the statements return no rows, which would take most of the time.
	empty := planner{tapped: openStore(t, postgrestest.New(t).WriterURL()), conn: p.conn, planned: p.planned}
	for _, name := range slices.Sorted(maps.Keys(combinations)) {
		for _, page := range pages {
			empty.Tap.Reset()
			if _, err := empty.List(t.Context(), combinations[name], page); err != nil {
				t.Fatal(err)
			}
			statement := "RemediationList"
			if name == "nothing" && !page.Ascending && page.Offset == 0 {
				statement = "RemediationNewest" // TestPlansOfAnEmptyDatabase looks into the function
			}
			empty.check(t, statement, fmt.Sprintf("%s, %+v", name, page))
		}
	}
}

// selectiveFilters returns filters that match a small part of the table, each by its own index.
func selectiveFilters(fields map[string][]audit.Filter) map[string]audit.Filter {
	filters := map[string]audit.Filter{}
	for _, name := range []string{
		"id", "remediation_id", "namespace", "cluster_name", "alert_fingerprint", "target_resource", "signature_id", "since", "until",
		"between",
	} {
		few := fields[name]
		filters[name] = few[len(few)-1]
		filters[name+" and status"] = mergeFilters(few[len(few)-1], fields["status"][0])
	}
	return filters
}

func (p planner) checkCounts(t *testing.T, fields map[string][]audit.Filter) {
	t.Helper()
	for name, f := range selectiveFilters(fields) {
		p.Tap.Reset()
		if _, err := p.List(t.Context(), f, audit.PageRequest{Limit: 1, Total: true}); err != nil {
			t.Fatal(err)
		}
		p.check(t, "RemediationCount", name)
	}
}

// checkSearches checks both routes: the HNSW index for filters that match many remediations,
// otherwise from the remediations to the vectors.
func (p planner) checkSearches(t *testing.T, fields map[string][]audit.Filter) {
	t.Helper()
	broad := map[string]audit.Filter{
		"nothing": {}, "name": fields["name"][0], "status": fields["status"][0], "two": mergeFilters(fields["phase"][0], fields["severity"][0]),
		"since": fields["since"][0], "environment": fields["environment"][1],
	}
	for name, f := range broad {
		p.Tap.Reset()
		if found, err := p.Nearest(t.Context(), numberedVector(1), f, 10); err != nil || len(found) != 10 {
			t.Fatal(len(found), err)
		}
		nodes := p.plan(t, "SearchNearest")
		if got := describeScans(nodes); !strings.Contains(got, "Index Scan embedding_1 embedding_1_hnsw") || scansLarge(nodes) {
			t.Errorf("a search filtered by %s: %s", name, got)
		}
	}
	for name, f := range selectiveFilters(fields) {
		p.Tap.Reset()
		found, err := p.Nearest(t.Context(), numberedVector(1), f, 10)
		if err != nil {
			t.Fatal(err)
		}
		nodes := p.plan(t, "SearchNearest")
		if got := describeScans(nodes); strings.Contains(got, "hnsw") || strings.Contains(got, "Seq Scan remediation_audit") {
			t.Errorf("a search filtered by %s: %s", name, got)
		}
		p.check(t, "SearchCount", name)
		p.checkSkips(t, "SearchCount", name)
		p.checkSkips(t, "SearchNearest", name)
		var incidents []audit.ID
		for _, n := range found {
			incidents = append(incidents, n.IncidentID)
		}
		for filtered, g := range map[string]audit.Filter{"nothing": {}, name: f} {
			if _, err := p.Incidents(t.Context(), incidents, g, postgres.IncidentOptions{Newest: 3}); err != nil {
				t.Fatal(err)
			}
			p.check(t, "IncidentOutcomes", filtered)
			p.check(t, "IncidentRemediations", filtered)
		}
	}
}

// checkSkips fails the test if a statement whose filter is by target or by fingerprint alone reads their remediations in another way than
// from one signature to the next.
func (p planner) checkSkips(t *testing.T, statement, filter string) {
	t.Helper()
	index, isAlone := map[string]string{
		"target_resource": "remediation_audit_target_signature", "alert_fingerprint": "remediation_audit_fingerprint_signature",
	}[filter]
	isSkip := func(n node) bool { return n.Type == "Index Only Scan" && n.Index == index }
	if nodes := p.plan(t, statement); isAlone && !slices.ContainsFunc(nodes, isSkip) {
		t.Errorf("%s, filtered by %s: %s", statement, filter, describeScans(nodes))
	}
}

// checkLexical checks lexical searches for a frequent and a rare word, with every kind of filter.
func (p planner) checkLexical(t *testing.T, fields map[string][]audit.Filter) {
	t.Helper()
	filters := selectiveFilters(fields)
	filters["nothing"], filters["status"] = audit.Filter{}, fields["status"][0]
	used := map[string]int{}
	for name, f := range filters {
		p.Tap.Reset()
		scorer, statistics, err := p.Weigh(t.Context(), lexical.Parse("signature 77 word5"))
		if err != nil {
			t.Fatal(err)
		}
		found, err := p.Lexical(t.Context(), scorer, statistics, f, 10)
		if err != nil {
			t.Fatal(err)
		}
		if name == "nothing" && len(found) != 10 {
			t.Errorf("%d found, want 10", len(found))
		}
		p.check(t, "LexicalFrequencies", name)
		statement := "SearchLexical"
		if sent := p.Tap.Statements(); sent[len(sent)-1].Name() == "SearchLexicalFew" {
			statement = "SearchLexicalFew"
		}
		used[statement]++
		p.check(t, statement, "filtered by "+name)
		p.checkSkips(t, statement, name)
		if _, err := p.Candidates(t.Context(), append(found, audit.ID(md5.Sum([]byte("s5")))), numberedVector(1), scorer); err != nil {
			t.Fatal(err)
		}
		p.check(t, "SearchCandidates", name)
		example := audit.ID(md5.Sum([]byte("s5")))
		if alike, err := p.Alike(t.Context(), example, append(found, example)); err != nil || len(alike) != len(found)+1 || alike[example] > 1e-3 {
			t.Errorf("alike are %v %v", alike, err)
		}
		p.check(t, "SearchAlike", name)
	}
	if len(used) != 2 {
		t.Errorf("lexical searches executed %v, want both statements", used)
	}
}

// checkFewOfMany searches with a filter that matches enough remediations for the index to be used,
// but so few signatures, all far away, that the index search ends before it finds them.
func checkFewOfMany(t *testing.T, db *postgrestest.Database) {
	t.Helper()
	const signatures = 60
	// The service's limit is 5,000.
	execSQL(t, db.SuperuserURL(), "LOAD 'vector'", "ALTER DATABASE "+db.Name+" SET hnsw.max_scan_tuples = 500",
		// The sessions of a pooler are older than the setting.
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'datastorage_writer' AND datname = current_database()")
	store := openStore(t, db.WriterURL())
	var f audit.Filter
	for i := range signatures {
		f.SignatureIDs = append(f.SignatureIDs, audit.ID(md5.Sum(fmt.Append(nil, "s", i+1))))
	}
	page, err := store.List(t.Context(), f, audit.PageRequest{Limit: 1, Total: true})
	if err != nil || *page.Total <= 10_000 {
		t.Fatalf("the filter matches %d remediations (%v)", *page.Total, err)
	}
	for _, limit := range []int{10, signatures, signatures + 10} {
		store.Tap.Reset()
		found, err := store.Nearest(t.Context(), numberedVector(7), f, limit)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[audit.ID]bool{}
		for _, n := range found {
			seen[n.SignatureID] = slices.Contains(f.SignatureIDs, n.SignatureID)
		}
		ordered := slices.IsSortedFunc(found, func(a, b postgres.Nearest) int { return cmp.Compare(a.Distance, b.Distance) })
		if want := min(limit, signatures); len(found) != want || len(seen) != want || !ordered {
			t.Errorf("%d found, %d of them different, ordered %v, want %d", len(found), len(seen), ordered, want)
		}
		searches := slices.DeleteFunc(store.Tap.Statements(), func(s postgrestest.Statement) bool { return s.Name() != "SearchNearest" })
		if limit >= signatures && len(searches) != 2 {
			t.Errorf("%d searches, want one by the index and an exact one", len(searches))
		}
	}
}

func (p planner) checkReads(t *testing.T) {
	t.Helper()
	id := queryValue[string](t, p.URL, "SELECT min(signature_id::text) FROM remediation_audit")
	signature, err := audit.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []postgres.IncidentFilter{
		{},
		{AlertNames: []string{"name 0"}},
		{Namespaces: []string{"namespace 150"}},
		{WorkflowStatuses: []string{"pending"}},
		{Since: new(time.Unix(0, 0)), Until: new(time.Now())},
	} {
		for _, after := range []*audit.Position{nil, {Time: time.Now(), ID: 1000}} {
			if _, err := p.IncidentEvents(t.Context(), f, 100, after); err != nil {
				t.Fatal(err)
			}
			p.check(t, "IncidentEventList", fmt.Sprintf("%+v after %v", f, after))
		}
	}
	_, get := p.Remediation(t.Context(), "r77")
	_, children := p.Children(t.Context(), "r77")
	_, history := p.History(t.Context(), "r77", 100, &audit.HistoryPosition{RecordedAt: time.Now()})
	_, stored := p.SignaturesStored(t.Context(), []audit.ID{signature})
	_, embedding := p.Vector(t.Context(), signature)
	for statement, err := range map[string]error{
		"RemediationGet": get, "RemediationChildKinds": children, "AIAnalysisList": children, "WorkflowList": children, "ExecutionList": children,
		"AuditEventHistory": history, "SignatureStored": stored, "EmbeddingGet": embedding,
	} {
		if err != nil {
			t.Errorf("%s: %v", statement, err)
		}
		p.check(t, statement, "a read")
	}
}

// checkWrites checks batches of new and of stored records. The batches are small, because a plan
// may scan a table that is hardly larger than the batch.
func (p planner) checkWrites(t *testing.T) {
	t.Helper()
	pending := queryRows[string](t, p.URL, "SELECT remediation_id FROM remediation_audit WHERE phase = 'pending' ORDER BY id LIMIT 51")
	completed := queryValue[string](t, p.URL, "SELECT remediation_id FROM remediation_audit WHERE phase = 'completed' ORDER BY id LIMIT 1")
	redelivered := newEntries(t, toPhase(completed, audit.PhaseFailed))
	if _, err := p.Append(t.Context(), redelivered, &postgres.AppendOptions{Redelivered: true}); err != nil {
		t.Fatal(err)
	}
	p.check(t, "AuditEventUpdatesAccepted", "a redelivered update")
	for _, n := range []int{1, 50} {
		var batch []audit.Entry
		vectors := postgres.Vectors{}
		for i := range n {
			created, known := minimalRemediation(fmt.Sprint("created ", n, i)), pending[len(pending)-n+i]
			created.Name = strings.Repeat("x", 1+i%200)
			e := newEntry(t, created)
			vectors[e.Signature.ID] = numberedVector(i)
			batch = append(batch, e)
			batch = append(batch, newEntries(t, toError(known, "changed"), minimalAnalysis(known, "new"), minimalWorkflow(known, "new"),
				minimalExecution(known, "w", "new"))...)
		}
		p.Tap.Reset()
		for range 2 {
			written, err := p.Append(t.Context(), batch, withVectors(vectors))
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range written {
				if w.Err != nil {
					t.Fatal(batch[i].Kind, w.Err)
				}
			}
		}
		if _, err := p.AddVectors(t.Context(), vectors); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			"RemediationAppend", "RemediationReceipts", "RemediationLock", "RemediationUpdate", "AIAnalysisAppend", "AIAnalysisReceipts",
			"WorkflowAppend", "WorkflowReceipts", "ExecutionAppend", "ExecutionReceipts", "EmbeddingInsert",
		} {
			p.check(t, statement, fmt.Sprint("a batch of ", n))
		}
	}
}

// checkRenormalization checks the search for old signatures if none, some or all are old.
func (p planner) checkRenormalization(t *testing.T) {
	t.Helper()
	for _, old := range []string{"false", "random() < 0.01", "true"} {
		execSQL(t, p.AdminURL, "UPDATE signature SET normalizer = 1 WHERE "+old, "VACUUM ANALYZE signature")
		p.Tap.Reset()
		for _, used := range []bool{false, true} {
			for id, err := range p.OldSignatures(t.Context(), used) {
				if err != nil {
					t.Fatal(err)
				}
				if old == "true" {
					p.renormalize(t, id)
					break
				}
			}
			p.check(t, "SignatureOld", fmt.Sprintf("old are %s, used %v", old, used))
		}
		_, sampleErr := p.SampleSignatures(t.Context(), 10, 100)
		_, countErr := p.ToRenormalize(t.Context())
		if err := errors.Join(sampleErr, countErr); err != nil {
			t.Fatal(err)
		}
		p.check(t, "SignatureSample", fmt.Sprint("old are ", old))
		if old == "false" {
			p.check(t, "RemediationCountOld", "nothing is old")
		}
	}
}

// renormalize checks the statements that renormalize the remediations of a signature.
func (p planner) renormalize(t *testing.T, old audit.ID) {
	t.Helper()
	made := newEntry(t, minimalRemediation("made")).Signature
	var all []postgres.Renormalized
	for remediation, err := range p.RemediationsBySignature(t.Context(), old) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, postgres.Renormalized{ID: remediation.ID, UpdatedAt: remediation.UpdatedAt, SignatureID: made.ID})
	}
	add := p.AddRenormalizedSignatures(t.Context(), old, []audit.Signature{made})
	_, renormalize := p.Renormalize(t.Context(), old, all, func(audit.ID) bool { return true })
	_, drop := p.DropSignatures(t.Context(), []audit.ID{old})
	if err := errors.Join(add, p.RenormalizeIncident(t.Context(), old, made.IncidentID), renormalize, drop); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"SignatureAddReplacements", "SignatureSetIncident", "SignatureReady"} {
		p.check(t, statement, "renormalization")
	}
	if len(all) > 0 {
		p.check(t, "RemediationBySignature", "renormalization")
		p.check(t, "RemediationRenormalize", "renormalization")
	}
}

// combineFilters returns filters of one, of every two, and of some three fields.
func combineFilters(fields map[string][]audit.Filter) map[string]audit.Filter {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	all := map[string]audit.Filter{"nothing": {}}
	for i, first := range names {
		for a, f := range fields[first] {
			all[fmt.Sprint(first, a)] = f
			for j, second := range names[i+1:] {
				for b, g := range fields[second] {
					pair := fmt.Sprint(first, a, " and ", second, b)
					all[pair] = mergeFilters(f, g)
					third := names[(i+j*7+3)%len(names)]
					if third != first && third != second && (a+b)%2 == 0 {
						all[pair+" and "+third] = mergeFilters(f, g, fields[third][0])
					}
				}
			}
		}
	}
	return all
}
