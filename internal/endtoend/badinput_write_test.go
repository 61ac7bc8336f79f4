package endtoend_test

import (
	"fmt"
	"maps"
	"strings"

	"github.com/datastorage-service/datastorage/client"
)

// recordMembers has the members of a valid remediation, as JSON.
func recordMembers() map[string]string {
	return map[string]string{
		"remediation_id": `"new"`, "name": `"KubePodCrashLooping"`, "namespace": `"shop"`, "action_type": `"restart_pod"`,
		"phase": `"pending"`, "status": `"pending"`, "start_time": `"2026-01-02T03:04:05Z"`, "error_message": jsonString("password=" + secret),
	}
}

// withMembers returns members with some of them replaced. A member with an empty replacement is left out.
func withMembers(members map[string]string, pairs ...string) string {
	members = maps.Clone(members)
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i]] = pairs[i+1]
		if pairs[i+1] == "" {
			delete(members, pairs[i])
		}
	}
	return jsonObject(members)
}

func badCreate(name, body string, named ...string) bad {
	return bad{name: name, method: "POST", path: "/v1/remediations", body: body, status: 400, kind: "invalid", errors: fieldErrors(named...)}
}

func badField(field, value, code string) bad {
	return badCreate(fmt.Sprintf("%s %.40s", field, value), withMembers(recordMembers(), field, value), field, code)
}

// badBodies are invalid JSON, or JSON that the service refuses.
func badBodies() []bad {
	whole := withMembers(recordMembers())
	deep := strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)
	rows := []bad{
		badCreate("empty", " \n", "", "empty"),
		badCreate("text", secret, "", "malformed_json"),
		badCreate("XML", "<remediation/>", "", "malformed_json"),
		badCreate("truncated", whole[:len(whole)-1], "", "malformed_json"),
		badCreate("truncated in a string", whole[:len(whole)-4], "", "malformed_json"),
		badCreate("truncated in an escape", `{"name":"\u00`, "", "malformed_json"),
		badCreate("trailing object", whole+whole, "", "malformed_json"),
		badCreate("trailing text", whole+secret, "", "malformed_json"),
		badCreate("trailing bracket", whole+"}", "", "malformed_json"),
		badCreate("trailing comma", strings.TrimSuffix(whole, "}")+",}", "", "malformed_json"),
		badCreate("single quotes", `{'name':'x'}`, "", "malformed_json"),
		badCreate("comment", "/* "+secret+" */"+whole, "", "malformed_json"),
		badCreate("byte order mark", "\uFEFF"+whole, "", "malformed_json"),
		badCreate("leading zero", withMembers(recordMembers(), "duration_ms", "01"), "", "malformed_json"),
		badCreate("NaN", withMembers(recordMembers(), "duration_ms", "NaN"), "", "malformed_json"),
		badCreate("raw line feed in a string", withMembers(recordMembers(), "name", "\"a\nb\""), "", "malformed_json"),
		badCreate("raw NUL in a string", withMembers(recordMembers(), "name", "\"a\x00b\""), "", "malformed_json"),
		badCreate("lone bracket", "[", "", "malformed_json"),
		badCreate("array", "["+whole+"]", "", "type"),
		badCreate("string", jsonString(whole), "", "type"),
		badCreate("number", "1", "", "type"),
		badCreate("null", "null", "", "type"),
		badCreate("key twice", strings.TrimSuffix(whole, "}")+`,"name":"other"}`, "name", "duplicate"),
		badCreate("key twice, once escaped", strings.TrimSuffix(whole, "}")+`,"n\u0061me":"other"}`, "name", "duplicate"),
		badCreate("two keys twice", strings.TrimSuffix(whole, "}")+`,"name":"a","phase":"failed"}`, "name", "duplicate", "phase",
			"duplicate"),
		badCreate("key twice in metadata", withMembers(recordMembers(), "metadata", `{"a":{"b":1,"b":1}}`), "metadata.a.b", "duplicate"),
		badCreate("too deep", withMembers(recordMembers(), "metadata", deep), "metadata"+strings.Repeat(".a", 15), "too_deep"),
		badCreate("very deep", strings.Repeat("[", 100_000), strings.Repeat("[0]", 16), "too_deep"),
		badCreate("number beyond all", withMembers(recordMembers(), "metadata", `{"a":[1,-1e400]}`), "metadata.a[1]", "out_of_range"),
	}
	tooLarge := badCreate("too large", whole+strings.Repeat(" ", 6_000_001-len(whole)))
	tooLarge.status, tooLarge.kind = 413, "too-large"
	rows = append(rows, tooLarge)
	for _, contentType := range []string{"none", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "json", "application/jsonx", "application/merge-patch+json"} {
		row := badCreate("content type "+contentType, whole)
		row.contentType, row.status, row.kind = contentType, 415, "unsupported-media-type"
		rows = append(rows, row)
	}
	return rows
}

// badRecords are remediations with a wrong, missing or unknown field.
func badRecords() []bad {
	var rows []bad
	for _, field := range []string{"remediation_id", "name", "namespace", "action_type", "phase", "status", "start_time"} {
		rows = append(rows,
			badCreate("without "+field, withMembers(recordMembers(), field, ""), field, "required"),
			badField(field, "null", "required"), badField(field, "1", "type"))
	}
	for _, field := range []string{
		"cluster_name", "environment", "severity", "alert_fingerprint", "target_resource", "end_time", "error_message", "workflow_yaml",
	} {
		rows = append(rows, badField(field, "true", "type"))
	}
	for _, field := range []string{"id", "actor", "created_at", "updated_at", "signature_id", "event_id", "leaf_hash", "embedding"} {
		rows = append(rows, badField(field, jsonString(secret), "read_only"))
	}
	return append(rows,
		badField("phase", `"done"`, "not_in_set"), badField("phase", `"Pending"`, "not_in_set"), badField("status", `"ok"`, "not_in_set"),
		badField("status", `""`, "not_in_set"), badField("environment", `"prod"`, "not_in_set"),
		badField("environment", `""`, "not_in_set"),
		badField("severity", `"fatal"`, "not_in_set"), badField("severity", `""`, "empty"),
		badField("duration_ms", `"5"`, "type"), badField("duration_ms", "1.5", "type"), badField("duration_ms", "-1", "out_of_range"),
		badField("duration_ms", "9007199254740992", "out_of_range"), badField("duration_ms", "99999999999999999999", "out_of_range"),
		badField("duration_ms", "1e400", "out_of_range"), badField("duration_ms", "1e300", "out_of_range"),
		badField("metadata", "[]", "type"), badField("metadata", jsonString(secret), "type"), badField("metadata", "1", "type"),
		badField("metadata", strings.Repeat(`{"a":`, 10)+"{}"+strings.Repeat("}", 10), "too_deep"),
		badField("metadata", `{"a":`+jsonString(strings.Repeat("x", 64<<10))+`}`, "too_long"),
		badField("kind", `"remediation"`, "unknown_field"), badField("Name", `"x"`, "unknown_field"),
		badCreate("strange unknown field", withMembers(recordMembers(), `a.b`, "1"), `["a.b"]`, "unknown_field"),
		badCreate("every error at once",
			withMembers(recordMembers(), "name", "1", "namespace", "", "action_type", `"<b>"`, "phase", `"done"`, "start_time", `"soon"`,
				"duration_ms", "-1", "metadata", "[]", "actor", `"root"`, "surplus", "1"),
			"name", "type", "namespace", "required", "action_type", "characters", "phase", "not_in_set", "start_time", "format",
			"duration_ms", "out_of_range", "metadata", "type", "actor", "read_only", "surplus", "unknown_field"),
		badCreate("nothing", "{}", "remediation_id", "required", "name", "required", "namespace", "required", "action_type", "required",
			"phase", "required", "status", "required", "start_time", "required"),
	)
}

// badTimes are invalid, out of range, or contradict each other.
func badTimes() []bad {
	var rows []bad
	for value, code := range map[string]string{
		"2026-01-02": "format", "2026-01-02T03:04:05": "format", "2026-01-02 03:04:05Z": "format", "2026-02-30T00:00:00Z": "format",
		"2026-13-01T00:00:00Z": "format", "2026-01-02T24:00:00Z": "format", "2026-01-02T03:60:00Z": "format",
		"2016-12-31T23:59:61Z": "format", "2026-01-02T03:04:60Z": "format", "2016-12-31T23:59:60+01:00": "format",
		"2026-01-02T03:04:05+24:00": "format", "2026-01-02T03:04:05-05:60": "format", "2026-01-02T03:04:05+0100": "format",
		"2026-01-02T3:04:05Z": "format", "2026-01-02T03:04:05,5Z": "format", "2026-01-02T03:04:05+25:00": "format",
		"10000-01-01T00:00:00Z": "format", "": "format", "1767323045": "format", "yesterday": "format",
		"0000-01-01T00:00:00Z": "out_of_range", "1969-12-31T23:59:59.999999Z": "out_of_range",
		"9999-12-31T23:59:59-01:00": "out_of_range",
	} {
		rows = append(rows, badField("start_time", jsonString(value), code))
	}
	return append(rows,
		badField("end_time", `"2026-01-02T03:04:04.999999Z"`, "order"), badField("end_time", `"0001-01-01T00:00:00Z"`, "out_of_range"),
		badField("end_time", `"2026-01-02T04:04:04+01:00"`, "order"), badField("end_time", `"never"`, "format"),
		badCreate("duration contradicts", withMembers(recordMembers(), "end_time", `"2026-01-02T03:04:06Z"`, "duration_ms", "999"), "duration_ms",
			"order"),
		badCreate("both times are wrong", withMembers(recordMembers(), "start_time", `"x"`, "end_time", `"y"`), "start_time", "format", "end_time",
			"format"),
	)
}

// badTexts are identifiers with forbidden characters, and strings that are too long.
func badTexts() []bad {
	rows := []bad{
		badField("remediation_id", jsonString(strings.Repeat("💾", 256)), "too_long"),
		badField("name", jsonString(strings.Repeat("é", 256)), "too_long"),
		badField("namespace", jsonString(strings.Repeat("x", 256)), "too_long"),
		badField("action_type", jsonString(strings.Repeat("磁", 101)), "too_long"),
		badField("cluster_name", jsonString(strings.Repeat("x", 256)), "too_long"),
		badField("target_resource", jsonString(strings.Repeat("ด", 513)), "too_long"),
		badField("alert_fingerprint", jsonString(strings.Repeat("x", 256)), "too_long"),
		badField("error_message", jsonString(strings.Repeat("é", 32<<10)+"x"), "too_long"),
		badField("workflow_yaml", jsonString(strings.Repeat("x", 256<<10+1)), "too_long"),
	}
	for _, field := range []string{"remediation_id", "name", "namespace", "action_type", "cluster_name", "alert_fingerprint", "target_resource"} {
		rows = append(rows, badField(field, `""`, "empty"), badField(field, jsonString("a\u0007"+secret), "characters"))
		if field != "name" {
			rows = append(rows, badField(field, jsonString("<script>"+secret), "characters"))
		}
	}
	for _, id := range []string{".", "..", "a/b", "a?b", "a#b", "/", "?", "#"} {
		rows = append(rows, badField("remediation_id", jsonString(id), "characters"))
	}
	for _, value := range []string{
		`"a\u0000b"`, `"a\nb"`, `"a\tb"`, `"a\u007fb"`, `"a\u0085b"`, `"a\u202eb"`, `"a\u2066b"`, `"a\u2028b"`, `"a\ud800b"`, `"a\ufffdb"`,
		"\"a\xffb\"", "\"\xed\xa0\x80\"",
	} {
		rows = append(rows, badCreate(fmt.Sprintf("name %q", value), withMembers(recordMembers(), "name", value), "name", "characters"))
	}
	return rows
}

func badUpdate(name, body string, named ...string) bad {
	return bad{name: name, method: "PATCH", path: "/v1/remediations/begun", body: body, status: 400, kind: "invalid", errors: fieldErrors(named...)}
}

func badUpdates() []bad {
	conflict := func(name, id, body string) bad {
		return bad{name: name, method: "PATCH", path: "/v1/remediations/" + id, body: body, status: 409, kind: "conflict"}
	}
	rows := []bad{
		badUpdate("nothing", "{}", "", "empty"), badUpdate("null", "null", "", "type"),
		badUpdate("truncated", `{"phase":`, "", "malformed_json"),
		badUpdate("phase is null", `{"phase":null}`, "phase", "type"), badUpdate("status is null", `{"status":null}`, "status", "type"),
		badUpdate("phase", `{"phase":"done"}`, "phase", "not_in_set"),
		badUpdate("status", `{"status":1}`, "status", "type"), badUpdate("end_time", `{"end_time":"x"}`, "end_time", "format"),
		badUpdate("end_time of last century", `{"end_time":"1969-12-31T00:00:00Z"}`, "end_time", "out_of_range"),
		badUpdate("error_message", `{"error_message":[]}`, "error_message", "type"),
		badUpdate("long error_message", `{"error_message":`+jsonString(strings.Repeat("x", 64<<10+1))+`}`, "error_message", "too_long"),
		badUpdate("workflow_yaml", `{"workflow_yaml":{}}`, "workflow_yaml", "type"),
		badUpdate("metadata", `{"metadata":[]}`, "metadata", "type"),
		badUpdate("fields that do not change", `{"name":"x","start_time":"2026-01-02T03:04:05Z","remediation_id":"x","duration_ms":1,"actor":"x"}`,
			"name", "unknown_field", "start_time", "unknown_field", "remediation_id", "unknown_field", "duration_ms", "unknown_field", "actor", "read_only"),
		conflict("phase goes back", "begun", `{"phase":"pending"}`), conflict("ended", "ended", `{"phase":"failed"}`),
		conflict("ended changes no text", "ended", `{"error_message":"x"}`),
		conflict("ended changes no metadata", "ended", `{"metadata":{"a":1}}`),
		{name: "unknown", method: "PATCH", path: "/v1/remediations/nobody", body: `{"phase":"failed"}`, status: 404, kind: "not-found"},
		{
			name: "unknown with a text", method: "PATCH", path: "/v1/remediations/nobody", body: `{"error_message":"x"}`, status: 404,
			kind: "not-found",
		},
		{
			name: "end before the stored start", method: "PATCH", path: "/v1/remediations/begun", body: `{"end_time":"2026-01-02T03:04:05.123455Z"}`,
			status: 422, kind: "unprocessable", errors: fieldErrors("end_time", "order"),
		},
		{
			name: "bad id", method: "PATCH", path: "/v1/remediations/<x>", body: `{"phase":1}`, status: 400, kind: "invalid",
			errors: fieldErrors("remediation_id", "characters", "phase", "type"),
		},
		{
			name: "long id", method: "PATCH", path: "/v1/remediations/" + strings.Repeat("é", 256), body: `{"phase":"failed"}`,
			status: 400, kind: "invalid", errors: fieldErrors("remediation_id", "too_long"),
		},
	}
	for _, contentType := range []string{"none", "text/json", "application/merge-patch+json"} {
		row := badUpdate("content type "+contentType, `{"phase":"failed"}`)
		row.contentType, row.status, row.kind = contentType, 415, "unsupported-media-type"
		rows = append(rows, row)
	}
	return rows
}

// badChildren are bad requests on one of the routes of children; record is a valid child.
func badChildren(route string, record map[string]string, required []string) []bad {
	path := "/v1/remediations/begun/" + route
	whole := jsonObject(record)
	rows := []bad{
		{name: "unknown remediation", path: "/v1/remediations/nobody/" + route, body: whole, status: 404, kind: "not-found"},
		{
			name: "bad id", path: "/v1/remediations/a\u202eb/" + route, body: withMembers(record, "surplus", "1"), status: 400,
			kind: "invalid", errors: fieldErrors("remediation_id", "characters", "surplus", "unknown_field"),
		},
		{name: "content type", path: path, body: whole, contentType: "text/plain", status: 415, kind: "unsupported-media-type"},
		{name: "malformed", path: path, body: whole[1:], status: 400, kind: "invalid", errors: fieldErrors("", "malformed_json")},
		{name: "array", path: path, body: "[]", status: 400, kind: "invalid", errors: fieldErrors("", "type")},
		{
			name: "read only", path: path, body: withMembers(record, "id", "1", "created_at", "1"), status: 400, kind: "invalid",
			errors: fieldErrors("id", "read_only", "created_at", "read_only"),
		},
		{
			name: "remediation_id in the body", path: path, body: withMembers(record, "remediation_id", `"begun"`), status: 400,
			kind: "invalid", errors: fieldErrors("remediation_id", "unknown_field"),
		},
		{
			name: "metadata", path: path, body: withMembers(record, "metadata", jsonString(secret)), status: 400, kind: "invalid",
			errors: fieldErrors("metadata", "type"),
		},
		{
			name: "deep metadata", path: path,
			body: withMembers(record, "metadata", strings.Repeat(`{"a":`, 10)+"[]"+strings.Repeat("}", 10)), status: 400, kind: "invalid",
			errors: fieldErrors("metadata", "too_deep"),
		},
	}
	var missing []string
	for _, field := range required {
		missing = append(missing, field, "required")
	}
	rows = append(rows, bad{name: "nothing", path: path, body: "{}", status: 400, kind: "invalid", errors: fieldErrors(missing...)})
	for i := range rows {
		rows[i].method = "POST"
	}
	return rows
}

// badChildField makes one row per triple of field, value and code; the rest of the record is valid.
func badChildField(route string, record map[string]string, triples ...string) []bad {
	var rows []bad
	for i := 0; i < len(triples); i += 3 {
		field, value, code := triples[i], triples[i+1], triples[i+2]
		rows = append(rows, bad{
			name: fmt.Sprintf("%s %.40s", field, value), method: "POST", path: "/v1/remediations/begun/" + route,
			body: withMembers(record, field, value), status: 400, kind: "invalid", errors: fieldErrors(field, code),
		})
	}
	return rows
}

func badAnalyses() []bad {
	record := map[string]string{"analysis_id": `"new"`, "provider": `"p"`, "model": `"m"`}
	rows := badChildren("ai-analyses", record, []string{"analysis_id", "provider", "model"})
	rows = append(rows, badChildField("ai-analyses", record,
		"analysis_id", "null", "required", "analysis_id", jsonString(strings.Repeat("x", 256)), "too_long", "analysis_id", `"<"`, "characters",
		"provider", `""`, "empty", "model", "{}", "type",
		"confidence_score", "1.0001", "out_of_range", "confidence_score", "-0.1", "out_of_range", "confidence_score", `"high"`, "type",
		"confidence_score", "1e400", "out_of_range", "tokens_used", "-1", "out_of_range", "tokens_used", "0.5", "type",
		"tokens_used", "9007199254740992", "out_of_range", "analysis_duration_ms", "-1", "out_of_range", "analysis_duration_ms", `"1s"`,
		"type",
	)...)
	return append(rows, bad{
		name: "same id, other content", method: "POST", path: "/v1/remediations/begun/ai-analyses",
		body: withMembers(record, "analysis_id", `"a"`, "provider", `"other"`), status: 409, kind: "conflict",
	})
}

func badWorkflows() []bad {
	record := map[string]string{
		"workflow_id": `"new"`, "phase": `"planning"`, "total_steps": "3", "completed_steps": "2", "start_time": `"2026-01-02T03:04:05Z"`,
	}
	rows := badChildren("workflows", record, []string{"workflow_id", "phase", "total_steps", "completed_steps", "start_time"})
	return append(rows, badChildField("workflows", record,
		"workflow_id", `"a\u0000"`, "characters", "phase", `"pending"`, "not_in_set", "phase", "0", "type",
		"total_steps", "-1", "out_of_range", "total_steps", "2147483648", "out_of_range", "total_steps", "1e400", "out_of_range",
		"total_steps", `"3"`, "type", "total_steps", "2.5", "type", "completed_steps", "4", "order", "completed_steps", "-1",
		"out_of_range",
		"start_time", `"x"`, "format", "start_time", `"1969-01-01T00:00:00Z"`, "out_of_range", "end_time", `"2026-01-02T03:04:04Z"`,
		"order",
		"end_time", "false", "type",
	)...)
}

func badExecutions() []bad {
	record := map[string]string{
		"workflow_id": `"w"`, "execution_id": `"new"`, "action_type": `"restart_pod"`, "success": "true",
		"start_time": `"2026-01-02T03:04:05Z"`,
	}
	rows := badChildren("executions", record, []string{"workflow_id", "execution_id", "action_type", "success", "start_time"})
	return append(rows, badChildField("executions", record,
		"workflow_id", `""`, "empty", "execution_id", `"\u2069"`, "characters", "action_type", jsonString(strings.Repeat("x", 101)),
		"too_long",
		"target_resource", jsonString(strings.Repeat("x", 513)), "too_long", "cluster_name", `"a>b"`, "characters", "success", `"true"`,
		"type",
		"success", "1", "type", "success", "null", "required", "execution_time_ms", "-1", "out_of_range", "execution_time_ms", "1.5",
		"type",
		"error_message", jsonString(strings.Repeat("x", 64<<10+1)), "too_long", "end_time", `"2026-01-02T03:04:04Z"`, "order",
		"start_time", `"2026-02-29T00:00:00Z"`, "format",
	)...)
}

// badBatches are refused as a whole. TestBatch covers single bad records of a batch.
func badBatches() []bad {
	batch := func(name, body string, named ...string) bad {
		return bad{name: name, method: "POST", path: "/v1/remediations/batch", body: body, status: 400, kind: "invalid", errors: fieldErrors(named...)}
	}
	whole := withMembers(recordMembers())
	tooLarge := batch("too large", `{"records":[`+whole+strings.Repeat(" ", 6_000_000)+"]}")
	tooLarge.status, tooLarge.kind = 413, "too-large"
	text := batch("content type", `{"records":[`+whole+`]}`)
	text.contentType, text.status, text.kind = "text/plain", 415, "unsupported-media-type"
	return []bad{
		batch("nothing", "{}", "records", "required"), batch("null", `{"records":null}`, "records", "required"),
		batch("object", `{"records":{}}`, "records", "type"), batch("text", `{"records":"x"}`, "records", "type"),
		batch("none", `{"records":[]}`, "records", "too_large"),
		batch("501", `{"records":[`+strings.TrimSuffix(strings.Repeat(whole+",", client.MaxBatch+1), ",")+`]}`, "records", "too_large"),
		batch("surplus", `{"records":[`+whole+`],"record":1,"id":1}`, "record", "unknown_field", "id", "read_only"),
		batch("bare array", "["+whole+"]", "", "type"), batch("truncated", `{"records":[`+whole, "", "malformed_json"),
		batch("key twice in a record", `{"records":[`+whole+`,{"name":1,"name":2}]}`, "records[1].name", "duplicate"),
		batch("trailing", `{"records":[`+whole+`]}]`, "", "malformed_json"), tooLarge, text,
	}
}
