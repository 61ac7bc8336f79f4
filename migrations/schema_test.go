package migrations_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// The expected SQLSTATEs (PostgreSQL documentation, appendix A).
const (
	accepted     = ""
	dataInvalid  = "22000"
	badText      = "22P02"
	notNull      = "23502"
	foreignKey   = "23503"
	unique       = "23505"
	check        = "23514"
	generated    = "428C9"
	notPermitted = "42501"
)

// row is a row to be inserted: SQL expressions by column.
type row map[string]string

func (r row) with(changes row) row {
	merged := maps.Clone(r)
	maps.Copy(merged, changes)
	return merged
}

func (r row) insert(table string) string {
	columns := slices.Sorted(maps.Keys(r))
	values := make([]string, len(columns))
	for i, column := range columns {
		values[i] = r[column]
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ", "), strings.Join(values, ", "))
}

const (
	known  = "'00000000-0000-8000-8000-000000000001'" // a signature with a vector and a remediation
	spare  = "'00000000-0000-8000-8000-000000000002'" // a signature without either
	vector = "array_fill(0.5, ARRAY[64])::vector::halfvec"
)

// validRows returns, for each table, a row that it accepts.
func validRows() map[string]row {
	child := row{
		"remediation_id": "'known'", "actor": "'a'", "event_id": "gen_random_uuid()", "created_at": "now()",
	}
	return map[string]row{
		"signature": {
			"id": "gen_random_uuid()", "text": "'x'", "normalizer": "1", "terms": "'{1,2}'", "counts": "'{1,1}'", "length": "2", "analyzer": "1",
		},
		"signature_term":     {"term": "1", "signature_id": "gen_random_uuid()", "count": "1", "length": "1"},
		"lexical_statistic":  {"id": "1", "signatures": "0", "mean_length": "0", "counted_at": "now()"},
		"signature_location": {"word": "'checkout'", "signature_id": known},
		"lexical_term":       {"term": "1", "signatures": "1"},
		"embedding_model":    {"name": "'another'", "dimensions": "3"},
		"embedding":          {"model_id": "1", "signature_id": spare, "vector": vector},
		"remediation_audit": {
			"remediation_id": "'r'", "name": "'n'", "namespace": "'ns'", "action_type": "'t'", "phase": "'pending'",
			"status": "'pending'", "start_time": "'2026-01-01T00:00:00Z'", "signature_id": known, "actor": "'a'",
			"event_id": "gen_random_uuid()", "created_at": "'2026-01-02T00:00:00Z'", "updated_at": "'2026-01-02T00:00:00Z'",
		},
		"ai_analysis_audit": child.with(row{"analysis_id": "'c'", "provider": "'p'", "model": "'m'"}),
		"workflow_audit": child.with(row{
			"workflow_id": "'c'", "phase": "'planning'", "total_steps": "2", "completed_steps": "1", "start_time": "now()",
		}),
		"execution_audit": child.with(row{
			"workflow_id": "'c'", "execution_id": "'c'", "action_type": "'t'", "success": "true", "start_time": "now()",
		}),
		"audit_event": {
			"event_id": "gen_random_uuid()", "recorded_at": "now()", "kind": "'remediation'", "remediation_id": "'r'", "actor": "'a'",
			"canonical": "'{}'", "content_hash": "sha256('')",
		},
		"cursor_key":    {"id": "1", "key": "sha256('')"},
		"stats_changed": {"day": "'2026-01-01'"},
		"stats_count": {
			"dimension": "'name'", "grain": "'day'", "period": "'2026-01-01'", "key": "'n'", "pending": "0", "running": "0", "success": "1",
			"failure": "2",
		},
		"outcome_change": {
			"n": "1", "signature_id": known, "start_time": "'2026-01-01'", "name": "'n'", "namespace": "'ns'", "severity": "'low'",
			"action_type": "'t'", "phase": "'pending'", "status": "'pending'",
		},
		"outcome_hot": {"signature_id": known, "resources": "true"},
		"outcome_facet": {
			"signature_id": known, "facets": "gen_random_uuid()", "name": "'n'", "namespace": "'ns'", "severity": "'low'",
			"action_type": "'t'", "phase": "'pending'", "status": "'pending'",
		},
		"outcome": {"signature_id": known, "grain": "'day'", "period": "'2026-01-01'", "facets": spare, "n": "1"},
	}
}

// databaseWithParents creates a database with the rows that the foreign keys of the valid rows refer to.
func databaseWithParents(tb testing.TB) (*postgrestest.Database, *pgx.Conn) {
	tb.Helper()
	db := postgrestest.New(tb)
	rows := validRows()
	execSQL(tb, db.AdminURL(),
		"DELETE FROM cursor_key",
		rows["signature"].with(row{"id": known}).insert("signature"),
		rows["signature"].with(row{"id": spare}).insert("signature"),
		rows["embedding"].with(row{"signature_id": known}).insert("embedding"),
		rows["remediation_audit"].with(row{"remediation_id": "'known'"}).insert("remediation_audit"),
	)
	return db, connect(tb, db.AdminURL())
}

func TestValidRowsAreAccepted(t *testing.T) {
	t.Parallel()
	_, conn := databaseWithParents(t)
	for table, r := range validRows() {
		if err := tryInTransaction(t, conn, r.insert(table)); err != nil {
			t.Errorf("%s: %v", table, err)
		}
	}
}

// requiredColumns returns the columns of each table that a row must have.
func requiredColumns() map[string][]string {
	child := []string{"id", "remediation_id", "metadata", "actor", "event_id", "created_at"}
	return map[string][]string{
		"signature":          {"id", "text", "normalizer", "created_at", "terms", "counts", "length", "analyzer"},
		"signature_term":     {"term", "signature_id", "count", "length"},
		"lexical_statistic":  {"id", "signatures", "mean_length", "counted_at"},
		"lexical_term":       {"term", "signatures"},
		"signature_location": {"word", "signature_id"},
		"embedding_model":    {"id", "name", "dimensions", "active"},
		"embedding":          {"model_id", "signature_id", "vector"},
		"remediation_audit": {
			"id", "remediation_id", "name", "namespace", "severity", "action_type", "phase", "status", "start_time", "metadata",
			"signature_id", "actor", "event_id", "created_at", "updated_at",
		},
		"ai_analysis_audit": append(slices.Clone(child), "analysis_id", "provider", "model"),
		"workflow_audit":    append(slices.Clone(child), "workflow_id", "phase", "total_steps", "completed_steps", "start_time"),
		"execution_audit":   append(slices.Clone(child), "workflow_id", "execution_id", "action_type", "success", "start_time"),
		"audit_event": {
			"event_id", "recorded_at", "kind", "remediation_id", "actor", "canonical", "leaf_hash", "content_hash",
		},
		"cursor_key":     {"id", "key"},
		"stats_changed":  {"day"},
		"stats_count":    {"dimension", "grain", "period", "key", "pending", "running", "success", "failure"},
		"outcome_change": {"n", "signature_id", "start_time", "name", "namespace", "severity", "action_type", "phase", "status"},
		"outcome_hot":    {"signature_id", "resources"},
		"outcome_facet":  {"signature_id", "facets", "name", "namespace", "severity", "action_type", "phase", "status"},
		"outcome":        {"signature_id", "grain", "period", "facets", "n"},
	}
}

func TestColumnsThatMayNotBeNull(t *testing.T) {
	t.Parallel()
	db, conn := databaseWithParents(t)
	for table, columns := range requiredColumns() {
		found := queryRows[string](t, db.AdminURL(),
			"SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attnotnull ORDER BY 1", table)
		if diff := cmp.Diff(slices.Sorted(slices.Values(columns)), found); diff != "" {
			t.Errorf("%s (-want +in the catalogue):\n%s", table, diff)
		}
		for _, column := range columns {
			into := table
			switch column {
			case "leaf_hash":
				// A generated column does not accept values, not even NULL: see TestConstraints.
				continue
			case "model_id":
				// A row without a model has no partition.
				into = "embedding_1"
			case "recorded_at":
				into = "audit_event_default"
			}
			err := tryInTransaction(t, conn, validRows()[table].with(row{column: "NULL"}).insert(into))
			if sqlState(err) != notNull || err.ColumnName != column {
				t.Errorf("%s.%s: %v, want SQLSTATE %s", table, column, err, notNull)
			}
		}
	}
}

func repeatSQL(text string, n int) string { return fmt.Sprintf("repeat('%s', %d)", text, n) }

// violation is a change of a table's valid row that one constraint rejects or, at its limit,
// accepts.
type violation struct {
	table      string
	change     row
	want       string
	constraint string
}

// lengthViolations returns rows with identifiers at and beyond both length limits, in characters.
func lengthViolations() []violation {
	var all []violation
	for table, columns := range map[string]map[string]int{
		"remediation_audit": {
			"remediation_id": 255, "name": 255, "namespace": 255, "cluster_name": 255, "alert_fingerprint": 255, "action_type": 100,
			"target_resource": 512,
		},
		"ai_analysis_audit": {"analysis_id": 255, "provider": 255, "model": 255},
		"workflow_audit":    {"workflow_id": 255},
		"execution_audit": {
			"workflow_id": 255, "execution_id": 255, "action_type": 100, "target_resource": 512, "cluster_name": 255,
		},
		"audit_event": {"remediation_id": 255},
	} {
		for column, most := range columns {
			constraint := fmt.Sprintf("%s_%s_check", table, column)
			all = append(all,
				violation{table, row{column: repeatSQL("💾", most)}, accepted, ""},
				violation{table, row{column: repeatSQL("x", most+1)}, check, constraint},
				violation{table, row{column: "''"}, check, constraint},
			)
		}
	}
	return all
}

// setViolations returns rows with values inside and outside each closed set.
func setViolations() []violation {
	var all []violation
	for _, s := range []struct {
		table, column string
		words         []string
	}{
		{"remediation_audit", "environment", []string{"production", "staging", "development", "test"}},
		{"remediation_audit", "severity", []string{"critical", "high", "medium", "low", "info", "unknown"}},
		{"remediation_audit", "phase", []string{"pending", "processing", "completed", "failed"}},
		{"remediation_audit", "status", []string{"pending", "running", "success", "failure"}},
		{"workflow_audit", "phase", []string{"planning", "executing", "completed", "failed"}},
		{"audit_event", "kind", []string{"remediation", "update", "ai_analysis", "workflow", "execution"}},
		{"audit_event", "embedding", []string{"stored", "pending"}},
	} {
		for _, word := range s.words {
			all = append(all, violation{s.table, row{s.column: "'" + word + "'"}, accepted, ""})
		}
		for _, word := range []string{"", "other", strings.ToUpper(s.words[0]), s.words[0] + " "} {
			all = append(all, violation{s.table, row{s.column: "'" + word + "'"}, check, fmt.Sprintf("%s_%s_check", s.table, s.column)})
		}
	}
	return all
}

// sharedViolations returns rows that violate rules that several tables share.
func sharedViolations() []violation {
	var all []violation
	for _, table := range []string{"remediation_audit", "ai_analysis_audit", "workflow_audit", "execution_audit"} {
		all = append(all,
			violation{table, row{"metadata": "'[]'"}, check, table + "_metadata_check"},
			violation{table, row{"metadata": "'null'"}, check, table + "_metadata_check"},
			violation{table, row{"metadata": "('{\"a\":\"' || repeat('x', 65528) || '\"}')::json"}, accepted, ""},
			violation{table, row{"metadata": "('{\"a\":\"' || repeat('x', 65529) || '\"}')::json"}, check, table + "_metadata_check"},
			violation{table, row{"metadata": "'{'"}, badText, ""},
			violation{table, row{"actor": "''"}, check, table + "_actor_check"},
		)
		if table != "remediation_audit" {
			all = append(all, violation{table, row{"remediation_id": "'missing'"}, foreignKey, table + "_remediation_id_fkey"})
		}
		if table != "ai_analysis_audit" {
			ends := row{"start_time": "'2026-01-01T00:00:00Z'", "end_time": "'2025-12-31T23:59:59.999999Z'"}
			same := row{"start_time": "'2026-01-01T00:00:00Z'", "end_time": "'2026-01-01T00:00:00Z'"}
			constraint := table + "_check"
			switch table {
			case "remediation_audit":
				ends["duration_ms"], same["duration_ms"] = "0", "0"
				constraint = "remediation_audit_end_time_check"
			case "workflow_audit":
				constraint = "workflow_audit_check1" // the second of two columns
			}
			all = append(all, violation{table, ends, check, constraint}, violation{table, same, accepted, ""})
		}
	}
	return all
}

// otherViolations returns rows that violate a rule of one table.
func otherViolations() []violation {
	span := func(end, duration string) row {
		return row{"start_time": "'2026-01-01T00:00:00Z'", "end_time": "'" + end + "'", "duration_ms": duration}
	}
	return []violation{
		{"outcome_change", row{"n": "0"}, check, "outcome_change_n_check"},
		{"outcome_change", row{"n": "-1"}, accepted, ""},
		{"signature", row{"text": "''"}, check, "signature_text_check"},
		{"signature", row{"normalizer": "0"}, check, "signature_normalizer_check"},
		{"signature", row{"id": known}, unique, "signature_pkey"},
		{"embedding_model", row{"name": "''"}, check, "embedding_model_name_check"},
		{"embedding_model", row{"name": "'" + postgrestest.Model + "'"}, unique, "embedding_model_name_key"},
		{"embedding_model", row{"id": "1"}, unique, "embedding_model_pkey"},
		{"embedding_model", row{"dimensions": "0"}, check, "embedding_model_dimensions_check"},
		{"embedding_model", row{"dimensions": "4001"}, check, "embedding_model_dimensions_check"},
		{"embedding_model", row{"dimensions": "4000"}, accepted, ""},
		{"embedding_model", row{"active": "true"}, unique, "embedding_model_one_active"},
		{"embedding", row{"signature_id": known}, unique, "embedding_1_pkey"},
		{"embedding", row{"signature_id": "gen_random_uuid()"}, foreignKey, "embedding_signature_id_fkey"},
		{"embedding", row{"model_id": "9"}, check, ""}, // no partition
		{"embedding", row{"vector": "'[1,2,3]'"}, check, "embedding_1_dimensions"},
		{"embedding", row{"vector": "array_fill(0.5, ARRAY[65])::vector::halfvec"}, check, "embedding_1_dimensions"},
		{"embedding", row{"vector": "'[NaN]'"}, dataInvalid, ""},
		{"remediation_audit", row{"remediation_id": "'known'"}, unique, "remediation_audit_remediation_id_key"},
		{"remediation_audit", row{"id": "1"}, unique, "remediation_audit_pkey"},
		{"remediation_audit", row{"id": "0"}, check, "remediation_audit_id_check"},
		{"remediation_audit", row{"signature_id": "gen_random_uuid()"}, foreignKey, "remediation_audit_signature_id_fkey"},
		{"remediation_audit", row{"duration_ms": "-1"}, check, "remediation_audit_duration_ms_check"},
		{"remediation_audit", row{"duration_ms": "7"}, accepted, ""},
		{"remediation_audit", span("2026-01-01T00:00:01.0019Z", "1001"), accepted, ""},
		{"remediation_audit", span("2026-01-01T00:00:01.0019Z", "1002"), check, "remediation_audit_duration_ms_check"},
		{"remediation_audit", span("9999-12-31T23:59:59.999999Z", "251635075199999"), accepted, ""},
		{"remediation_audit", row{"end_time": "now()"}, check, "remediation_audit_duration_ms_check"},
		{"remediation_audit", row{"error_message": repeatSQL("é", 32768)}, accepted, ""},
		{"remediation_audit", row{"error_message": repeatSQL("é", 32769)}, check, "remediation_audit_error_message_check"},
		{"remediation_audit", row{"workflow_yaml": repeatSQL("é", 131072)}, accepted, ""},
		{"remediation_audit", row{"workflow_yaml": repeatSQL("é", 131073)}, check, "remediation_audit_workflow_yaml_check"},
		{"remediation_audit", row{"updated_at": "'2026-01-01T23:59:59Z'"}, check, "remediation_audit_updated_at_check"},
		{"ai_analysis_audit", row{"confidence_score": "1.0000001"}, check, "ai_analysis_audit_confidence_score_check"},
		{"ai_analysis_audit", row{"confidence_score": "-0.0000001"}, check, "ai_analysis_audit_confidence_score_check"},
		{"ai_analysis_audit", row{"confidence_score": "'NaN'"}, check, "ai_analysis_audit_confidence_score_check"},
		{"ai_analysis_audit", row{"confidence_score": "0"}, accepted, ""},
		{"ai_analysis_audit", row{"confidence_score": "1"}, accepted, ""},
		{"ai_analysis_audit", row{"tokens_used": "-1"}, check, "ai_analysis_audit_tokens_used_check"},
		{"ai_analysis_audit", row{"analysis_duration_ms": "-1"}, check, "ai_analysis_audit_analysis_duration_ms_check"},
		{"workflow_audit", row{"total_steps": "-1", "completed_steps": "-1"}, check, ""},
		{"workflow_audit", row{"total_steps": "-1", "completed_steps": "0"}, check, ""},
		{"workflow_audit", row{"total_steps": "2", "completed_steps": "3"}, check, "workflow_audit_check"},
		{"workflow_audit", row{"total_steps": "0", "completed_steps": "0"}, accepted, ""},
		{"execution_audit", row{"execution_time_ms": "-1"}, check, "execution_audit_execution_time_ms_check"},
		{"execution_audit", row{"error_message": repeatSQL("é", 32769)}, check, "execution_audit_error_message_check"},
		{"audit_event", row{"actor": "''"}, check, "audit_event_actor_check"},
		{"audit_event", row{"content_hash": "'short'"}, check, "audit_event_content_hash_check"},
		{"audit_event", row{"leaf_hash": "sha256('')"}, generated, ""},
		{"signature", row{"length": "-1"}, check, "signature_length_check"},
		{"signature", row{"analyzer": "-1"}, check, "signature_analyzer_check"},
		{"signature", row{"terms": "'{1}'"}, check, "signature_counts"},
		{"signature_term", row{"count": "0"}, check, "signature_term_count_check"},
		{"signature_term", row{"length": "0"}, check, "signature_term_length_check"},
		{"lexical_statistic", row{"id": "2"}, check, "lexical_statistic_id_check"},
		{"lexical_statistic", row{"signatures": "-1"}, check, "lexical_statistic_signatures_check"},
		{"lexical_statistic", row{"mean_length": "-1"}, check, "lexical_statistic_mean_length_check"},
		{"lexical_term", row{"signatures": "0"}, check, "lexical_term_signatures_check"},
		{"cursor_key", row{"id": "2"}, check, "cursor_key_id_check"},
		{"cursor_key", row{"key": "'short'"}, check, "cursor_key_key_check"},
	}
}

// TestConstraints checks that the database rejects every row that violates a rule, even from the
// owner, and accepts rows at the limits.
func TestConstraints(t *testing.T) {
	t.Parallel()
	_, conn := databaseWithParents(t)
	for _, v := range slices.Concat(lengthViolations(), setViolations(), sharedViolations(), otherViolations()) {
		err := tryInTransaction(t, conn, validRows()[v.table].with(v.change).insert(v.table))
		if sqlState(err) != v.want || err != nil && v.constraint != "" && err.ConstraintName != v.constraint {
			t.Errorf("%s %.80v: %v, want SQLSTATE %q by %s", v.table, v.change, err, v.want, v.constraint)
		}
	}
}

// TestConstraintsBetweenRows covers the constraints that a single row cannot violate: unique and
// foreign keys.
func TestConstraintsBetweenRows(t *testing.T) {
	t.Parallel()
	_, conn := databaseWithParents(t)
	orphaned := func(table, from string) []string {
		return []string{validRows()[table].insert(table), "DELETE FROM " + from}
	}
	again := func(table, key string) []string { return insertTwice(table, row{"id": "7", key: "gen_random_uuid()"}) }
	for constraint, c := range map[string]struct {
		do   []string
		want string
	}{
		"remediation_audit_remediation_id_key":                        {insertTwice("remediation_audit", nil), unique},
		"ai_analysis_audit_remediation_id_analysis_id_key":            {insertTwice("ai_analysis_audit", nil), unique},
		"workflow_audit_remediation_id_workflow_id_key":               {insertTwice("workflow_audit", nil), unique},
		"execution_audit_remediation_id_workflow_id_execution_id_key": {insertTwice("execution_audit", nil), unique},
		"ai_analysis_audit_pkey":                                      {again("ai_analysis_audit", "analysis_id"), unique},
		"workflow_audit_pkey":                                         {again("workflow_audit", "workflow_id"), unique},
		"execution_audit_pkey":                                        {again("execution_audit", "workflow_id"), unique},
		"cursor_key_pkey":                                             {insertTwice("cursor_key", nil), unique},
		"signature_term_pkey":                                         {insertTwice("signature_term", row{"signature_id": known, "term": "7"}), unique},
		"signature_location_pkey":                                     {insertTwice("signature_location", nil), unique},
		"lexical_statistic_pkey":                                      {insertTwice("lexical_statistic", nil), unique},
		"lexical_term_pkey":                                           {insertTwice("lexical_term", nil), unique},
		"stats_count_pkey":                                            {insertTwice("stats_count", nil), unique},
		"outcome_hot_pkey":                                            {insertTwice("outcome_hot", nil), unique},
		"outcome_facet_pkey":                                          {insertTwice("outcome_facet", row{"facets": known}), unique},
		"outcome_pkey":                                                {insertTwice("outcome", nil), unique},
		"audit_event_default_pkey": {
			insertTwice("audit_event", row{"event_id": known, "recorded_at": "'1999-01-01'"}), unique,
		},
		"embedding_model_id_fkey":               {[]string{"DELETE FROM embedding_model"}, foreignKey},
		"embedding_signature_id_fkey":           {[]string{"DELETE FROM remediation_audit", "DELETE FROM signature"}, foreignKey},
		"remediation_audit_signature_id_fkey":   {[]string{"DELETE FROM embedding", "DELETE FROM signature"}, foreignKey},
		"ai_analysis_audit_remediation_id_fkey": {orphaned("ai_analysis_audit", "remediation_audit"), foreignKey},
		"workflow_audit_remediation_id_fkey":    {orphaned("workflow_audit", "remediation_audit"), foreignKey},
		"execution_audit_remediation_id_fkey":   {orphaned("execution_audit", "remediation_audit"), foreignKey},
	} {
		if err := tryInTransaction(t, conn, c.do...); sqlState(err) != c.want || err.ConstraintName != constraint {
			t.Errorf("%s: %v, want SQLSTATE %s", constraint, err, c.want)
		}
	}
}

func insertTwice(table string, change row) []string {
	insert := validRows()[table].with(change).insert(table)
	return []string{insert, insert}
}

// TestEveryConstraintHasACase checks that every constraint of the catalogue has a case in this
// file.
func TestEveryConstraintHasACase(t *testing.T) {
	t.Parallel()
	db, conn := databaseWithParents(t)
	met := map[string]bool{
		// Covered by TestConstraintsBetweenRows.
		"ai_analysis_audit_pkey": true, "workflow_audit_pkey": true, "execution_audit_pkey": true, "cursor_key_pkey": true,
		"signature_term_pkey": true, "signature_location_pkey": true, "lexical_statistic_pkey": true, "lexical_term_pkey": true,
		"stats_count_pkey": true, "outcome_hot_pkey": true, "outcome_facet_pkey": true, "outcome_pkey": true,
		"ai_analysis_audit_remediation_id_analysis_id_key": true, "workflow_audit_remediation_id_workflow_id_key": true,
		"execution_audit_remediation_id_workflow_id_execution_id_key": true, "embedding_model_id_fkey": true,
		// Violated under the name of a partition's constraint.
		"embedding_pkey": true, "audit_event_pkey": true,
		// Cannot be violated alone: completed_steps would have to be between 0 and a negative
		// number.
		"workflow_audit_total_steps_check": true,
		// Violated under the names of its rules.
		"remediation_audit_valid": true,
	}
	for _, v := range slices.Concat(lengthViolations(), setViolations(), sharedViolations(), otherViolations()) {
		if err := tryInTransaction(t, conn, validRows()[v.table].with(v.change).insert(v.table)); err != nil {
			met[err.ConstraintName] = true
		}
	}
	constraints := queryRows[string](t, db.AdminURL(), `SELECT conname::text FROM pg_constraint
		WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u') AND coninhcount = 0 AND conparentid = 0
			AND conrelid::regclass::text NOT LIKE 'schema_%'
		ORDER BY 1`)
	rules := queryRows[string](t, db.AdminURL(), `SELECT 'remediation_audit_' || match[1] || '_check'
		FROM pg_proc, regexp_matches(prosrc, $$THEN '(\w+)'$$, 'g') AS match WHERE proname = 'remediation_valid'`)
	constraints = append(constraints, rules...)
	for _, constraint := range constraints {
		if !met[constraint] {
			t.Errorf("no case violates %s", constraint)
		}
	}
	if len(constraints) < 60 {
		t.Errorf("%d constraints in the catalogue: the query misses some", len(constraints))
	}
}

func TestLeafHashIsComputedByTheDatabase(t *testing.T) {
	t.Parallel()
	db, _ := databaseWithParents(t)
	execSQL(t, db.WriterURL(), validRows()["audit_event"].with(row{"canonical": "'abc'"}).insert("audit_event"))
	// printf '\0abc' | sha256sum
	const want = "609f6e36d2405585188d5cfd761f407c7cc46a7d3f314c88270469dde315fcd1"
	if got := queryValue[string](t, db.ReaderURL(), "SELECT encode(leaf_hash, 'hex') FROM audit_event"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
