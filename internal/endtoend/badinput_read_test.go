package endtoend_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

func badSearches() []bad {
	search := func(name, body string, named ...string) bad {
		return bad{name: name, method: "POST", path: "/v1/search", body: body, status: 400, kind: "invalid", faults: faults(named...)}
	}
	with := func(field, value, code string) bad {
		return search(field+" "+value, changed(map[string]string{"query": `"x"`}, field, value), field, code)
	}
	filter := func(field, value, code string) bad {
		return search("filter "+field+" "+value[:min(len(value), 40)], `{"query":"x","filters":{`+quote(field)+`:`+value+`}}`, "filters."+field, code)
	}
	text := search("content type", `{"query":"x"}`)
	text.contentType, text.status, text.kind = "text/plain", 415, "unsupported-media-type"
	return []bad{
		text, search("nothing", "{}", "query", "required"), search("malformed", `{"query":`+secret, "", "malformed_json"),
		search("array", "[]", "", "type"),
		with("query", `""`, "empty"), with("query", `" \n\t "`, "empty"), with("query", "null", "required"), with("query", "1", "type"),
		search("long query", `{"query":`+quote(strings.Repeat("x", 8<<10+1))+`}`, "query", "too_long"),
		with("mode", `"Lexical"`, "not_in_set"), with("mode", `""`, "not_in_set"), with("mode", `"fuzzy"`, "not_in_set"),
		with("mode", "1", "type"),
		with("limit", "0", "out_of_range"), with("limit", "101", "out_of_range"), with("limit", "-1", "out_of_range"),
		with("limit", "1e9", "out_of_range"),
		with("limit", "99999999999999999999", "out_of_range"), with("limit", `"10"`, "type"), with("limit", "1.5", "type"),
		with("limit", "1e400", "out_of_range"),
		with("per_signature", "-1", "out_of_range"), with("per_signature", "101", "out_of_range"), with("per_signature", "true", "type"),
		with("min_score", "2", "out_of_range"), with("min_score", "-1.01", "out_of_range"), with("min_score", `"1"`, "type"),
		with("explain", `"yes"`, "type"), with("explain", "1", "type"), with("filters", "[]", "type"),
		with("filters", `"namespace=shop"`, "type"),
		with("offset", "1", "unknown_field"), with("cursor", quote(secret), "unknown_field"),
		filter("color", `"red"`, "unknown_field"), filter("limit", `"1"`, "unknown_field"), filter("namespace", `["a"]`, "type"),
		filter("namespace", `""`, "empty"), filter("namespace", `"a,,b"`, "empty"), filter("name", `"<"`, "characters"),
		filter("phase", `"done"`, "not_in_set"),
		filter("status", `"ok"`, "not_in_set"), filter("severity", `"fatal,high"`, "not_in_set"),
		filter("environment", `"prod"`, "not_in_set"),
		filter("id", `"x"`, "format"), filter("id", "1", "type"), filter("signature_id", `"x"`, "format"),
		filter("since", `"tomorrow"`, "format"),
		filter("cluster_name", quote(strings.Repeat("x", 256)), "too_long"),
		filter("action_type", quote(strings.Repeat("x,", 100)+"x"), "too_large"),
		search("until before since", `{"query":"x","filters":{"since":"1h","until":"2h"}}`, "filters.until", "order"),
		search("every fault at once", `{"mode":"both","limit":0,"min_score":9,"filters":{"phase":"x","x":"y"},"z":1}`, "query", "required",
			"mode", "not_in_set", "limit", "out_of_range", "min_score", "out_of_range", "filters.phase", "not_in_set", "filters.x", "unknown_field", "z", "unknown_field"),
	}
}

// get is a refused GET with one or several faults of its query.
func get(path, query string, named ...string) bad {
	return bad{method: "GET", path: path, query: query, status: 400, kind: "invalid", faults: faults(named...)}
}

func badFilters() []bad {
	const list = "/v1/remediations"
	many := strings.TrimSuffix(strings.Repeat("1,", 101), ",")
	rows := []bad{
		get(list, "phase=done", "phase", "not_in_set"), get(list, "phase=pending,done", "phase", "not_in_set"),
		get(list, "phase=PENDING", "phase", "not_in_set"),
		get(list, "status=ok", "status", "not_in_set"), get(list, "severity=fatal", "severity", "not_in_set"),
		get(list, "environment=prod", "environment", "not_in_set"),
		get(list, "phase=pending,", "phase", "not_in_set"), get(list, "id=0", "id", "format"), get(list, "id=-1", "id", "format"),
		get(list, "id=abc", "id", "format"),
		get(list, "id=1,,2", "id", "format"), get(list, "id=9223372036854775808", "id", "format"), get(list, "id=1.0", "id", "format"),
		get(list, "signature_id=xyz", "signature_id", "format"),
		get(list, "signature_id=01890a5d-ac96-774b-bcce-b302099a805", "signature_id", "format"),
		get(list, "id="+many, "id", "too_large"), get(list, "name="+many, "name", "too_large"),
		get(list, "since=yesterday", "since", "format"), get(list, "since=24", "since", "format"),
		get(list, "since=-5h", "since", "format"), get(list, "since=h", "since", "format"),
		get(list, "since=5y", "since", "format"), get(list, "since=1969-12-31T23:59:59Z", "since", "out_of_range"),
		get(list, "until=10000-01-01T00:00:00Z", "until", "format"),
		get(list, "since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z", "until", "order"),
		get(list, "since=1h&until=2h", "until", "order"),
		get(list, "since=2026-02-30T00:00:00Z&until=x", "since", "format", "until", "format"),
	}
	for _, field := range []string{"remediation_id", "name", "namespace", "cluster_name", "action_type", "alert_fingerprint", "target_resource"} {
		rows = append(rows,
			get(list, field+"=", field, "empty"), get(list, field+"=a,,b", field, "empty"),
			get(list, field+"=%3Cscript%3E", field, "characters"),
			get(list, field+"="+strings.Repeat("x", 513), field, "too_long"))
	}
	for _, value := range []string{"%00", "a%0Ab", "%E2%80%AE", "%ff", "%ED%A0%80", "%C0%AF", "%EF%BF%BD"} {
		rows = append(rows, get(list, "name="+value, "name", "characters"))
	}
	const view = "/v1/incident-events"
	return append(rows,
		get(view, "workflow_status=ok", "workflow_status", "not_in_set"), get(view, "alert_name=", "alert_name", "empty"),
		get(view, "alert_name=%3E", "alert_name", "characters"),
		get(view, "namespace="+strings.Repeat("x", 256), "namespace", "too_long"), get(view, "since=soon", "since", "format"),
		get(view, "until=1h&since=1m", "until", "order"),
		get(view, "name=x&severity=high&offset=1", "name", "unknown_field", "severity", "unknown_field", "offset", "unknown_field"),
		get(view, "alert_name="+many, "alert_name", "too_large"),
	)
}

func badPages() []bad {
	var rows []bad
	for _, path := range []string{"/v1/remediations", "/v1/remediations/begun/history", "/v1/incident-events"} {
		rows = append(rows,
			get(path, "limit=0", "limit", "out_of_range"), get(path, "limit=1001", "limit", "out_of_range"),
			get(path, "limit=-1", "limit", "out_of_range"),
			get(path, "limit=1e9", "limit", "format"), get(path, "limit=1000000000", "limit", "out_of_range"),
			get(path, "limit=99999999999999999999", "limit", "out_of_range"), get(path, "limit=abc", "limit", "format"),
			get(path, "limit=", "limit", "empty"),
			get(path, "limit=1.5", "limit", "format"), get(path, "limit=%D9%A3", "limit", "format"),
			get(path, "limit=10,20", "limit", "format"), get(path, "cursor=", "cursor", "empty"),
			get(path, "limit=1&limit=2", "limit", "not_repeatable"))
	}
	const list = "/v1/remediations"
	return append(rows,
		get(list, "offset=-1", "offset", "out_of_range"), get(list, "offset=1000001", "offset", "out_of_range"),
		get(list, "offset=abc", "offset", "format"),
		get(list, "offset=99999999999999999999", "offset", "out_of_range"), get(list, "offset=", "offset", "empty"),
		get(list, "offset=0x10", "offset", "format"),
		get(list, "sort=name", "sort", "not_in_set"), get(list, "sort=", "sort", "empty"),
		get(list, "sort=start_time,id", "sort", "not_in_set"), get(list, "sort=--start_time", "sort", "not_in_set"),
		get(list, "include_total=yes", "include_total", "not_in_set"), get(list, "include_total=1", "include_total", "not_in_set"),
		get(list, "include_total=", "include_total", "empty"),
		get("/v1/remediations/begun/history", "offset=0", "offset", "unknown_field"),
		get("/v1/remediations/begun/history", "sort=start_time", "sort", "unknown_field"),
	)
}

func badStatistics() []bad {
	const rate, trend = "/v1/stats/success-rate", "/v1/stats/trend"
	rows := []bad{
		get(rate, "", "group_by", "required"), get(rate, "group_by=", "group_by", "empty"), get(rate, "group_by=phase", "group_by", "not_in_set"),
		get(rate, "group_by=name,namespace", "group_by", "not_in_set"), get(rate, "group_by=Name", "group_by", "not_in_set"),
		get(rate, "group_by=name&group_by=name", "group_by", "not_repeatable"),
		get(rate, "group_by=name&cursor=x&interval=day", "cursor", "unknown_field", "interval", "unknown_field"),
		get(rate, "min_samples=-1&limit=0&since=soon&phase=x&foo=1", "group_by", "required", "min_samples", "out_of_range", "limit", "out_of_range",
			"since", "format", "phase", "not_in_set", "foo", "unknown_field"),
		get(trend, "", "interval", "required"), get(trend, "interval=", "interval", "empty"), get(trend, "interval=month", "interval", "not_in_set"),
		get(trend, "interval=hour,day", "interval", "not_in_set"), get(trend, "interval=day&limit=5", "limit", "unknown_field"),
		get(trend, "interval=day&since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z", "until", "order"),
		get(trend, "interval=day&since=9999-01-01T00:00:00Z", "since", "order"),
		get(trend, "interval=hour&since=1970-01-01T00:00:00Z&until=9999-01-01T00:00:00Z", "since", "out_of_range"),
		get(trend, "interval=hour&since=2026-01-01T00:00:00Z&until=2026-02-11T16:00:00.000001Z", "since", "out_of_range"),
		get(trend, "interval=week&since=1990-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", "since", "out_of_range"),
		get(trend, "interval=year&time_zone=x&since=1h&until=2h&name=", "interval", "not_in_set", "time_zone", "not_in_set", "until", "order",
			"name", "empty"),
	}
	for _, value := range []string{"-1", "1000000001", "99999999999999999999"} {
		rows = append(rows, get(rate, "group_by=name&min_samples="+value, "min_samples", "out_of_range"))
	}
	for _, value := range []string{"many", "1.5", "1e3"} {
		rows = append(rows, get(rate, "group_by=name&min_samples="+value, "min_samples", "format"))
	}
	for _, value := range []string{"0", "1001", "-1"} {
		rows = append(rows, get(rate, "group_by=name&limit="+value, "limit", "out_of_range"))
	}
	for _, value := range []string{"Local", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "europe%5Cberlin", "%00", "%2B02:00", secret} {
		rows = append(rows, get(trend, "interval=day&time_zone="+value, "time_zone", "not_in_set"))
	}
	return append(rows, get(trend, "interval=day&time_zone=", "time_zone", "empty"))
}

func badParameters() []bad {
	const list, similar = "/v1/remediations", "/v1/remediations/r/similar"
	rows := []bad{
		get(similar, "mode=fuzzy", "mode", "not_in_set"), get(similar, "mode=", "mode", "empty"), get(similar, "limit=0", "limit", "out_of_range"),
		get(similar, "limit=101", "limit", "out_of_range"), get(similar, "per_signature=0", "per_signature", "out_of_range"),
		get(similar, "per_signature=101", "per_signature", "out_of_range"), get(similar, "explain=yes", "explain", "not_in_set"),
		get(similar, "query=x", "query", "unknown_field"), get(similar, "cursor=x&since=soon", "cursor", "unknown_field", "since", "format"),
		get(list, "foo=1", "foo", "unknown_field"), get(list, "Name=x", "Name", "unknown_field"),
		get(list, "name[]=x", `["name[]"]`, "unknown_field"),
		get(list, "limit", "limit", "empty"), get(list, "=x", `[""]`, "unknown_field"), get(list, "%00=x", `["\x00"]`, "unknown_field"),
		get(list, "name=a&name=b", "name", "not_repeatable"), get(list, "name=a&n%61me=b", "name", "not_repeatable"),
		get(list, "name=%zz", "name", "format"),
		get(list, "name=%", "name", "format"), get(list, "%zz=1", "", "format"), get(list, "%ff=1", `["\ufffd"]`, "unknown_field"),
		get(list, "query="+secret, "query", "unknown_field"),
		get(list, "limit=0&phase=x&foo=1&since=x&name=%zz&sort=up", "limit", "out_of_range", "phase", "not_in_set", "foo",
			"unknown_field", "since", "format", "name", "format", "sort", "not_in_set"),
		get("/v1/remediations/begun", "expand=children", "expand", "unknown_field"),
		get("/v1/remediations/begun", "id=%zz", "id", "format"), get("/ready", "verbose=1", "verbose", "unknown_field"),
		get("/v1/remediations/<x>", "", "remediation_id", "characters"), get("/v1/remediations/\xff", "", "remediation_id", "characters"),
		get("/v1/remediations/"+strings.Repeat("x", 256), "", "remediation_id", "too_long"),
		get("/v1/remediations/a\tb/history", "", "remediation_id", "characters"),
		get("/v1/remediations/<x>/history", "limit=0", "remediation_id", "characters", "limit", "out_of_range"),
		get("/v1/remediations/<x>", "expand=1", "remediation_id", "characters", "expand", "unknown_field"),
	}
	for path, body := range map[string]string{
		"/v1/remediations": changed(record()), "/v1/remediations/batch": `{"records":[` + changed(record()) + `]}`,
		"/v1/search":                         `{"query":"x"}`,
		"/v1/remediations/begun/ai-analyses": `{"analysis_id":"new","provider":"p","model":"m"}`,
		"/v1/remediations/begun/workflows":   `{"workflow_id":"new","phase":"planning","total_steps":0,"completed_steps":0,"start_time":"2026-01-02T03:04:05Z"}`,
		"/v1/remediations/begun/executions":  `{"workflow_id":"new","execution_id":"new","action_type":"a","success":true,"start_time":"2026-01-02T03:04:05Z"}`,
	} {
		row := bad{method: "POST", path: path, query: "dry_run=true", body: body, status: 400, kind: "invalid", faults: faults("dry_run", "unknown_field")}
		rows = append(rows, row)
	}
	update := badUpdate("", `{"phase":1}`, "force", "unknown_field", "phase", "type")
	update.query = "force=true"
	broken := badCreate("malformed", `{"name":`, "dry_run", "unknown_field", "", "malformed_json")
	broken.query = "dry_run=true"
	return append(rows, update, broken)
}

// badCursors are cursors that this service did not make, or made for something else.
func badCursors(t *testing.T, stack *endtoend.Stack) []bad {
	t.Helper()
	const list, history, view = "/v1/remediations", "/v1/remediations/begun/history", "/v1/incident-events"
	page, err := stack.Client.ListRemediations(t.Context(), client.ListRemediationsParams{Namespace: "shop", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := stack.Client.History(t.Context(), "begun", client.GetHistoryParams{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	cursor, entry := page.Pagination.NextCursor, entries.Pagination.NextCursor
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	rows := []bad{
		get(list, "namespace=shop&cursor="+cursor[:len(cursor)-1], "cursor", "mismatch"),
		get(list, "namespace=shop&cursor="+cursor+"A", "cursor", "mismatch"),
		get(list, "namespace=shop&cursor="+cursor+"=", "cursor", "mismatch"),
		get(list, "namespace=shop&cursor="+strings.ToUpper(cursor), "cursor", "mismatch"),
		get(list, "namespace=shop&cursor=x", "cursor", "mismatch"),
		get(list, "namespace=shop&cursor="+url.QueryEscape("' OR 1=1 --"), "cursor", "mismatch"),
		get(list, "namespace=shop&cursor="+base64.RawURLEncoding.EncodeToString([]byte(`{"offset":5}`)), "cursor", "mismatch"),
		get(list, "namespace=shop&cursor="+strings.Repeat("A", 10_000), "cursor", "mismatch"),
		get(list, "cursor="+cursor, "cursor", "mismatch"),
		get(list, "namespace=other&cursor="+cursor, "cursor", "mismatch"),
		get(list, "namespace=shop&phase=pending&cursor="+cursor, "cursor", "mismatch"),
		get(list, "namespace=shop&sort=start_time&cursor="+cursor, "cursor", "mismatch"),
		get(view, "namespace=shop&cursor="+cursor, "cursor", "mismatch"),
		get("/v1/remediations/a/history", "cursor="+entry, "cursor", "mismatch"), get(history, "cursor="+cursor, "cursor", "mismatch"),
		get(list, "cursor="+entry, "cursor", "mismatch"),
		get(list, "namespace=shop&cursor="+foreign(t), "cursor", "mismatch"),
		get(list, "namespace=shop&offset=0&cursor="+cursor, "offset", "order"),
		get(list, "namespace=shop&cursor="+cursor+"&cursor="+cursor, "cursor", "not_repeatable"),
		get(list, "cursor="+cursor+"&limit=0&foo=1", "cursor", "mismatch", "limit", "out_of_range", "foo", "unknown_field"),
	}
	for at := range raw {
		flipped := append([]byte(nil), raw...)
		flipped[at] ^= 1 << (at % 8)
		rows = append(rows, get(list, "namespace=shop&cursor="+base64.RawURLEncoding.EncodeToString(flipped), "cursor", "mismatch"))
	}
	return rows
}

// foreign is a cursor of the same list with the same filters from another database.
func foreign(t *testing.T) string {
	t.Helper()
	stack := endtoend.New(t, endtoend.Options{})
	// Every test's database is a copy of the same one, down to the key.
	run(t, stack.Database.AdminURL(), "UPDATE cursor_key SET key = sha256('another database')")
	seed(t, stack)
	page, err := stack.Client.ListRemediations(t.Context(), client.ListRemediationsParams{Namespace: "shop", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return page.Pagination.NextCursor
}

func badPaths() []bad {
	var rows []bad
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v2/remediations", "/v1/remediation", "/V1/Remediations", "/v1/remediations/", "//v1/remediations",
		"/v1//remediations",
		"/v1/remediations/begun/", "/v1/remediations/begun/same", "/v1/remediations/begun/history/1", "/v1/stats",
		"/v1/stats/success-rates",
		"/metrics",
		"/health/", "/health/live", "/openapi.yaml", "/v1/incident-events/1", "/v1/remediations//history",
	} {
		rows = append(rows, bad{method: "GET", path: path, status: 404, kind: "not-found"})
	}
	return append(rows,
		bad{method: "GET", path: "/v1/remediations/nobody", status: 404, kind: "not-found"},
		bad{method: "GET", path: "/v1/remediations/nobody/history", status: 404, kind: "not-found"},
		bad{method: "GET", path: "/v1/remediations/BEGUN", status: 404, kind: "not-found"},
		bad{method: "GET", path: "/v1/remediations/begun ", status: 404, kind: "not-found"},
		bad{method: "POST", path: "/v1/remediations/batches", body: "{}", status: 405, kind: "method-not-allowed", allow: "GET, PATCH"},
		bad{method: "POST", path: "/v1/searches", body: "{}", status: 404, kind: "not-found"},
	)
}

func badMethods() []bad {
	var rows []bad
	for path, allow := range map[string]string{
		"/v1/remediations": "GET, POST", "/v1/remediations/begun": "GET, PATCH", "/v1/remediations/begun/ai-analyses": "POST",
		"/v1/remediations/begun/workflows":  "POST",
		"/v1/remediations/begun/executions": "POST", "/v1/remediations/begun/history": "GET", "/v1/search": "POST",
		"/v1/incident-events": "GET", "/health": "GET", "/ready": "GET",
	} {
		for _, method := range []string{"DELETE", "PUT", "OPTIONS"} {
			rows = append(rows, bad{method: method, path: path, status: 405, kind: "method-not-allowed", allow: allow})
		}
	}
	return append(rows,
		bad{method: "DELETE", path: "/v1/remediations/batch", status: 405, kind: "method-not-allowed", allow: "POST"},
		bad{method: "GET", path: "/v1/search", query: "query=x", status: 405, kind: "method-not-allowed", allow: "POST"},
		bad{method: "POST", path: "/health", body: "{}", status: 405, kind: "method-not-allowed", allow: "GET"},
		bad{method: "PATCH", path: "/v1/remediations", body: "{}", status: 405, kind: "method-not-allowed", allow: "GET, POST"},
	)
}
