package postgres_test

import (
	"testing"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// TestSignaturesOfAFilter compares the SQL function remediation_signatures with the remediations that match, and counts the rows that it
// reads of each signature.
func TestSignaturesOfAFilter(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	// Signatures occur once, 49, 50, 51 or 120 times with each value, but some do not have all values.
	execSQL(t, db.SuperuserURL(), "SET session_replication_role = replica",
		`INSERT INTO remediation_audit (remediation_id, name, namespace, action_type, target_resource, alert_fingerprint, phase, status,
			start_time, signature_id, actor, event_id, created_at, updated_at)
		SELECT s || '/' || i || coalesce(v.value, ''), 'n', 'ns', 'a', v.value, upper(v.value), 'completed', 'success', now(), md5('s' || s)::uuid,
			'a', gen_random_uuid(), now(), now()
		FROM generate_series(1, 60) AS s
		CROSS JOIN LATERAL generate_series(1, (ARRAY[1, 49, 50, 51, 120])[1 + s % 5]) AS i
		CROSS JOIN LATERAL (VALUES ('a'), ('a '), ('ä'), ('aa'), ('磁盘'), ('b'), (NULL)) AS v (value)
		WHERE v.value IS NULL OR s % 7 <> length(v.value)`)
	for _, c := range []struct {
		filter string
		// signatures is how many match; most is the largest number of rows of one of them.
		signatures, most int
	}{
		{`{"target_resource": ["a"]}`, 51, 50},
		{`{"target_resource": ["b", "a", "a ", "a"]}`, 60, 150},
		{`{"target_resource": ["", "A", "zz", "b"]}`, 51, 50},
		{`{"target_resource": ["zz"]}`, 0, 0},
		{`{"alert_fingerprint": ["Ä"]}`, 51, 50},
		{`{"alert_fingerprint": ["磁盘", "AA", "AA"]}`, 51, 100},
		{`{"target_resource": ["b"], "alert_fingerprint": ["B"]}`, 51, 120},
		{`{"target_resource": ["b"], "status": ["failure"]}`, 0, 0},
		{`{"name": ["n"]}`, 60, 840},
		{`{}`, 60, 840},
	} {
		const wrong = `SELECT count(*)
			FROM (SELECT signature_id, count(*) AS n FROM remediation_signatures($1) GROUP BY 1) AS got
			FULL JOIN (
				SELECT signature_id, count(*) AS n FROM remediation_audit AS r WHERE remediation_matches(r, remediation_filter_read($1)) GROUP BY 1
			) AS want USING (signature_id)
			WHERE (got.n <= want.n) IS NOT TRUE`
		if n := queryValue[int](t, db.ReaderURL(), wrong, c.filter); n != 0 {
			t.Errorf("%s: %d signatures are missing, do not match or have more rows than remediations", c.filter, n)
		}
		const counts = `SELECT unnest(ARRAY[count(*), coalesce(max(n), 0)])
			FROM (SELECT count(*) AS n FROM remediation_signatures($1) GROUP BY signature_id) AS got`
		if got := queryRows[int](t, db.ReaderURL(), counts, c.filter); got[0] != c.signatures || got[1] != c.most {
			t.Errorf("%s: %d signatures with up to %d rows, want %d with %d", c.filter, got[0], got[1], c.signatures, c.most)
		}
	}
}
