package endtoend_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

func badSearch(name, body string, named ...string) bad {
	return bad{name: name, method: "POST", path: "/v1/search", body: body, status: 400, kind: "invalid", errors: fieldErrors(named...)}
}

// badSearchWith is a valid search with one additional field.
func badSearchWith(field, value, code string) bad {
	return badSearch(field+" "+value, withMembers(map[string]string{"query": `"x"`}, field, value), field, code)
}

func badSearchFilter(field, value, code string) bad {
	name := fmt.Sprintf("filter %s %.40s of %d", field, value, len(value))
	return badSearch(name, `{"query":"x","filters":{`+jsonString(field)+`:`+value+`}}`, "filters."+field, code)
}

func badSearches() []bad {
	search, with, filter := badSearch, badSearchWith, badSearchFilter
	text := search("content type", `{"query":"x"}`)
	text.contentType, text.status, text.kind = "text/plain", 415, "unsupported-media-type"
	return []bad{
		text, search("nothing", "{}", "query", "required"), search("malformed", `{"query":`+secret, "", "malformed_json"),
		search("array", "[]", "", "type"), search("null", "null", "", "type"), search("text", `"x"`, "", "type"),
		search("trailing", `{"query":"x"}{}`, "", "malformed_json"),
		with("query", `""`, "empty"), with("query", `" \n\t "`, "empty"), with("query", "null", "required"), with("query", "1", "type"),
		with("query", `["x"]`, "type"), with("query", "{}", "type"), with("query", `"\u0000\u0007"`, "empty"),
		search("long query", `{"query":`+jsonString(strings.Repeat("x", 8<<10+1))+`}`, "query", "too_long"),
		search("long query of another script", `{"query":`+jsonString(strings.Repeat("漢", 8<<10/3+1))+`}`, "query", "too_long"),
		with("mode", `"Lexical"`, "not_in_set"), with("mode", `""`, "not_in_set"), with("mode", `"fuzzy"`, "not_in_set"),
		with("mode", `"lexical,semantic"`, "not_in_set"), with("mode", "1", "type"), with("mode", `["hybrid"]`, "type"),
		with("detail", `"everything"`, "not_in_set"), with("detail", `""`, "not_in_set"), with("detail", "true", "type"),
		with("min_score", "2", "out_of_range"), with("min_score", "-1.01", "out_of_range"), with("min_score", `"1"`, "type"),
		with("min_score", "1.0000001", "out_of_range"), with("min_score", "1e400", "out_of_range"), with("min_score", `"NaN"`, "type"),
		with("min_score", "true", "type"), search("min_score NaN", `{"query":"x","min_score":NaN}`, "", "malformed_json"),
		search("min_score Infinity", `{"query":"x","min_score":-Infinity}`, "", "malformed_json"),
		with("explain", `"yes"`, "type"), with("explain", `"true"`, "type"), with("explain", "1", "type"), with("filters", "[]", "type"),
		with("filters", `"namespace=shop"`, "type"), with("filters", "true", "type"),
		with("offset", "1", "unknown_field"), with("cursor", jsonString(secret), "unknown_field"), with("Query", `"x"`, "unknown_field"),
		filter("color", `"red"`, "unknown_field"), filter("limit", `"1"`, "unknown_field"), filter("Name", `"x"`, "unknown_field"),
		search("query twice", `{"query":"x","query":"y"}`, "query", "duplicate"),
		search("filter twice", `{"query":"x","filters":{"name":"a","name":"a"}}`, "filters.name", "duplicate"),
		search("until before since", `{"query":"x","filters":{"since":"1h","until":"2h"}}`, "filters.until", "order"),
		search("every error at once", `{"mode":"both","limit":0,"min_score":9,"filters":{"phase":"x","x":"y"},"z":1}`, "query", "required",
			"mode", "not_in_set", "limit", "out_of_range", "min_score", "out_of_range", "filters.phase", "not_in_set", "filters.x", "unknown_field", "z", "unknown_field"),
	}
}

// badSearchValues sets every field and filter to every kind of invalid value.
func badSearchValues() []bad {
	var rows []bad
	for _, field := range []string{"limit", "per_signature"} {
		for value, code := range map[string]string{
			"101": "out_of_range", "-1": "out_of_range", "1e9": "out_of_range", "99999999999999999999": "out_of_range", "1e400": "out_of_range",
			`"10"`: "type", "1.5": "type", "true": "type", "[]": "type",
		} {
			rows = append(rows, badSearchWith(field, value, code))
		}
	}
	rows = append(rows, badSearchWith("limit", "0", "out_of_range"))
	for field, value := range map[string]string{
		"mode": `"hybrid"`, "detail": `"full"`, "limit": "1", "per_signature": "1", "min_score": "0", "explain": "true", "filters": "{}",
	} {
		rows = append(rows, badSearch(field+" twice", `{"query":"x",`+jsonString(field)+":"+value+","+jsonString(field)+":"+value+"}", field, "duplicate"))
	}
	for _, w := range wrongFilters() {
		rows = append(rows, badSearchFilter(w.field, jsonString(w.value), w.code))
	}
	for _, field := range filterNames() {
		for _, value := range []string{"1", "true", "{}", `["a",1]`, `[["a"]]`, "[null]"} {
			rows = append(rows, badSearchFilter(field, value, "type"))
		}
		rows = append(rows, badSearchFilter(field, "[]", listCode(field, "empty")),
			badSearchFilter(field, "["+strings.TrimSuffix(strings.Repeat(`"1",`, 101), ",")+"]", listCode(field, "too_large")))
	}
	return rows
}

// listCode returns the code with which a filter refuses a list of the wrong length: since and until
// take no list.
func listCode(field, code string) string {
	if field == "since" || field == "until" {
		return "type"
	}
	return code
}

// badGet returns a GET request that must be refused, with validation errors for the named
// parameters.
func badGet(path, query string, named ...string) bad {
	return bad{method: "GET", path: path, query: query, status: 400, kind: "invalid", errors: fieldErrors(named...)}
}

// wrong is an invalid value of a parameter, with the code of its validation error.
type wrong struct{ field, value, code string }

// wrongFilters are invalid values of these filters.
func wrongFilters() []wrong {
	rows := append(wrongTimes("since"), wrongTimes("until")...)
	for _, value := range []string{"0", "-1", "abc", "1,,2", "9223372036854775808", "1.0", "1e3", "٣", "1 2", "1,"} {
		rows = append(rows, wrong{"id", value, "format"})
	}
	for _, value := range []string{"xyz", "01890a5d-ac96-774b-bcce-b302099a805", "01890a5d-ac96-774b-bcce-b302099a8057,", secret} {
		rows = append(rows, wrong{"signature_id", value, "format"})
	}
	rows = append(rows, wrong{"id", "", "empty"}, wrong{"signature_id", "", "empty"}, tooMany("id", "1"), tooMany("signature_id", "x"))
	rows = append(rows, wrongWords("phase", "pending")...)
	rows = append(rows, wrongWords("status", "success")...)
	rows = append(rows, wrongWords("severity", "high")...)
	rows = append(rows, wrongWords("environment", "test")...)
	for field, limit := range map[string]int{
		"remediation_id": 255, "name": 255, "namespace": 255, "cluster_name": 255, "action_type": 100, "alert_fingerprint": 255, "target_resource": 512,
	} {
		rows = append(rows, wrongIdentifiers(field, limit)...)
	}
	return rows
}

func tooMany(field, value string) wrong {
	return wrong{field, strings.TrimSuffix(strings.Repeat(value+",", 101), ","), "too_large"}
}

// wrongWords are invalid values of a parameter that takes one or several words of a set; one of the words is valid.
func wrongWords(field, good string) []wrong {
	return append(wrongWord(field, good), tooMany(field, good))
}

// wrongWord are invalid values of a parameter that takes one word of a set.
func wrongWord(field, good string) []wrong {
	rows := []wrong{{field, "", "empty"}}
	for _, value := range []string{"done", good + ",done", strings.ToUpper(good), good + ",", " " + good, secret, strings.Repeat("x", 5000)} {
		rows = append(rows, wrong{field, value, "not_in_set"})
	}
	return rows
}

func wrongIdentifiers(field string, limit int) []wrong {
	rows := []wrong{
		{field, "", "empty"},
		{field, "a,,b", "empty"},
		{field, "a,", "empty"},
		{field, strings.Repeat("x", limit+1), "too_long"},
		{field, "good," + strings.Repeat("é", limit+1), "too_long"},
		tooMany(field, "a"),
	}
	if field != "name" && field != "alert_name" {
		rows = append(rows, wrong{field, "<script>", "characters"}, wrong{field, "good,a>b", "characters"})
	}
	for _, value := range []string{"\x00", "a\nb", "\u202e", "\ufffd", "a\u0085b", "\u2066"} {
		rows = append(rows, wrong{field, value, "characters"})
	}
	return rows
}

func wrongTimes(field string) []wrong {
	rows := []wrong{{field, "", "empty"}, {field, "1969-12-31T23:59:59Z", "out_of_range"}}
	for _, value := range []string{
		"yesterday", "24", "-5h", "h", "5y", "1.5h", "1h30m", "2026-01-02", "2026-02-30T00:00:00Z", "10000-01-01T00:00:00Z",
		"99999999999999999999h", "1h,2h", "2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05-05:60", "2026-01-02T03:04:60Z",
	} {
		rows = append(rows, wrong{field, value, "format"})
	}
	return rows
}

// badQueryValues makes one row per invalid value, with a valid query otherwise, and one row per parameter given twice.
func badQueryValues(path, query string, wrongs []wrong, twice ...string) []bad {
	prefix := strings.TrimPrefix(query+"&", "&")
	var rows []bad
	for _, w := range wrongs {
		row := badGet(path, prefix+w.field+"="+url.QueryEscape(w.value), w.field, w.code)
		row.name = fmt.Sprintf("%d bytes", len(w.value))
		rows = append(rows, row)
	}
	for _, field := range twice {
		row := badGet(path, prefix+field+"=1&"+field+"=1", field, "not_repeatable")
		rows = append(rows, row)
	}
	return rows
}

func badFilters() []bad {
	const list, view, similar, rate, trend = "/v1/remediations", "/v1/incident-events", "/v1/remediations/a/similar", "/v1/stats/success-rate", "/v1/stats/trend"
	var rows []bad
	for path, query := range map[string]string{list: "", similar: "", rate: "group_by=name", trend: "interval=day"} {
		rows = append(rows, badQueryValues(path, query, wrongFilters(), "since", "until")...)
	}
	events := slices.Concat(wrongIdentifiers("alert_name", 255), wrongIdentifiers("namespace", 255), wrongWords("workflow_status", "success"),
		wrongTimes("since"), wrongTimes("until"))
	rows = append(rows, badQueryValues(view, "", events, "since", "until", "cursor")...)
	for _, value := range []string{"%ff", "%ED%A0%80", "%C0%AF"} {
		rows = append(rows, badGet(list, "name="+value, "name", "characters"), badGet(view, "alert_name="+value, "alert_name", "characters"))
	}
	for path, query := range map[string]string{list: "", view: "", similar: "", rate: "group_by=name&", trend: "interval=day&"} {
		rows = append(rows,
			badGet(path, query+"since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z", "until", "order"),
			badGet(path, query+"since=1h&until=2h", "until", "order"),
			badGet(path, query+"since=2026-02-30T00:00:00Z&until=x", "since", "format", "until", "format"),
		)
	}
	return append(rows,
		badGet(view, "name=x&severity=high&offset=1", "name", "unknown_field", "severity", "unknown_field", "offset", "unknown_field"),
		badGet(view, "status=success&sort=created_at&include_total=true", "status", "unknown_field", "sort", "unknown_field",
			"include_total", "unknown_field"),
		badGet(view, "alert_name=&workflow_status=x&since=soon&limit=0&cursor=x&foo=1", "alert_name", "empty", "workflow_status", "not_in_set",
			"since", "format", "limit", "out_of_range", "cursor", "mismatch", "foo", "unknown_field"),
	)
}

func badPages() []bad {
	var rows []bad
	for _, path := range []string{"/v1/remediations", "/v1/remediations/begun/history", "/v1/incident-events"} {
		rows = append(rows,
			badGet(path, "limit=0", "limit", "out_of_range"), badGet(path, "limit=1001", "limit", "out_of_range"),
			badGet(path, "limit=-1", "limit", "out_of_range"),
			badGet(path, "limit=1e9", "limit", "format"), badGet(path, "limit=1000000000", "limit", "out_of_range"),
			badGet(path, "limit=99999999999999999999", "limit", "out_of_range"), badGet(path, "limit=abc", "limit", "format"),
			badGet(path, "limit=", "limit", "empty"),
			badGet(path, "limit=1.5", "limit", "format"), badGet(path, "limit=%D9%A3", "limit", "format"),
			badGet(path, "limit=10,20", "limit", "format"), badGet(path, "cursor=", "cursor", "empty"),
			badGet(path, "limit=1&limit=2", "limit", "not_repeatable"))
	}
	const list = "/v1/remediations"
	return append(rows,
		badGet(list, "offset=-1", "offset", "out_of_range"), badGet(list, "offset=1000001", "offset", "out_of_range"),
		badGet(list, "offset=abc", "offset", "format"),
		badGet(list, "offset=99999999999999999999", "offset", "out_of_range"), badGet(list, "offset=", "offset", "empty"),
		badGet(list, "offset=0x10", "offset", "format"),
		badGet(list, "sort=name", "sort", "not_in_set"), badGet(list, "sort=", "sort", "empty"),
		badGet(list, "sort=start_time,id", "sort", "not_in_set"), badGet(list, "sort=--start_time", "sort", "not_in_set"),
		badGet(list, "include_total=yes", "include_total", "not_in_set"), badGet(list, "include_total=1", "include_total", "not_in_set"),
		badGet(list, "include_total=", "include_total", "empty"),
		badGet("/v1/remediations/begun/history", "offset=0", "offset", "unknown_field"),
		badGet("/v1/remediations/begun/history", "sort=start_time", "sort", "unknown_field"),
	)
}

// wrongNumbers are invalid values of an integer from low to high.
func wrongNumbers(field string, low, high int) []wrong {
	rows := []wrong{{field, "", "empty"}}
	for _, value := range []string{"-1", fmt.Sprint(low - 1), fmt.Sprint(high + 1), "99999999999999999999"} {
		rows = append(rows, wrong{field, value, "out_of_range"})
	}
	for _, value := range []string{"many", "1.5", "1e1", "0x10", "٣", "1,2", " 1", "NaN", "true"} {
		rows = append(rows, wrong{field, value, "format"})
	}
	return slices.Compact(rows) // low - 1 may be -1
}

func badStatistics() []bad {
	const rate, trend, good = "/v1/stats/success-rate", "/v1/stats/trend", "interval=day"
	rows := slices.Concat(
		badQueryValues(rate, "", append(wrongWord("group_by", "name"), wrong{"group_by", "name,namespace", "not_in_set"}), "group_by"),
		badQueryValues(rate, "group_by=name", slices.Concat(wrongNumbers("min_samples", 0, 1_000_000_000), wrongNumbers("limit", 1, 1000)), "min_samples", "limit"),
		badQueryValues(trend, "", append(wrongWord("interval", "day"), wrong{"interval", "hour,day", "not_in_set"}), "interval"),
		badQueryValues(trend, good, []wrong{{"time_zone", "", "empty"}}, "time_zone"),
		[]bad{
			badGet(rate, "", "group_by", "required"), badGet(rate, "group_by=phase", "group_by", "not_in_set"),
			badGet(rate, "group_by", "group_by", "empty"),
			badGet(rate, "group_by=name&cursor=x&interval=day", "cursor", "unknown_field", "interval", "unknown_field"),
			badGet(rate, "group_by=name&offset=0&sort=rate&time_zone=UTC", "offset", "unknown_field", "sort", "unknown_field", "time_zone", "unknown_field"),
			badGet(rate, "min_samples=-1&limit=0&since=soon&phase=x&foo=1", "group_by", "required", "min_samples", "out_of_range", "limit", "out_of_range",
				"since", "format", "phase", "not_in_set", "foo", "unknown_field"),
			badGet(trend, "", "interval", "required"), badGet(trend, "interval=month", "interval", "not_in_set"),
			badGet(trend, good+"&limit=5&group_by=name&min_samples=1", "limit", "unknown_field", "group_by", "unknown_field", "min_samples", "unknown_field"),
			badGet(trend, good+"&since=9999-01-01T00:00:00Z", "since", "order"),
			badGet(trend, "interval=year&time_zone=x&since=1h&until=2h&name=", "interval", "not_in_set", "time_zone", "not_in_set", "until", "order",
				"name", "empty"),
		},
	)
	// A thousand buckets are the maximum. Buckets that are cut off at either end count, too.
	for _, query := range []string{
		"interval=hour&since=1970-01-01T00:00:00Z&until=9999-01-01T00:00:00Z", "interval=hour&since=2026-01-01T00:00:00Z&until=2026-02-11T16:00:00.000001Z",
		"interval=day&since=2020-01-01T00:00:00Z&until=2022-09-27T00:00:00.000001Z",
		"interval=day&time_zone=Asia/Kathmandu&since=2020-01-01T00:00:00Z&until=2022-09-27T00:00:00Z",
		"interval=week&since=1990-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", "interval=hour&since=42d",
	} {
		rows = append(rows, badGet(trend, query, "since", "out_of_range"))
	}
	for _, value := range []string{
		"Local", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "europe\\berlin", "\x00", "+02:00", "Europe/Berlin,UTC", " UTC", ".", "Europe",
		strings.Repeat("x", 5000), secret,
	} {
		rows = append(rows, badGet(trend, good+"&time_zone="+url.QueryEscape(value), "time_zone", "not_in_set"))
	}
	return rows
}

func badSimilar() []bad {
	const similar = "/v1/remediations/a/similar"
	return append(
		badQueryValues(similar, "", slices.Concat(
			wrongNumbers("limit", 1, 100), wrongNumbers("per_signature", 1, 100), wrongWord("mode", "hybrid"), wrongWord("detail", "short"),
			wrongWord("explain", "true"), []wrong{{"explain", "1", "not_in_set"}, {"explain", "yes", "not_in_set"}},
		), "limit", "per_signature", "mode", "detail", "explain"),
		badGet(similar, "query=x&min_score=0", "query", "unknown_field", "min_score", "unknown_field"),
		badGet(similar, "cursor=x&offset=1&since=soon", "cursor", "unknown_field", "offset", "unknown_field", "since", "format"),
		badGet("/v1/remediations/<x>/similar", "mode=x", "example_id", "characters", "mode", "not_in_set"),
		badGet("/v1/remediations/"+strings.Repeat("é", 256)+"/similar", "", "example_id", "too_long"),
		bad{method: "GET", path: "/v1/remediations/nobody/similar", status: 404, kind: "not-found"},
	)
}

// badConsistency are invalid for every read; writes do not have this parameter.
func badConsistency() []bad {
	var rows []bad
	for path, query := range map[string]string{
		"/v1/remediations": "", "/v1/remediations/begun": "", "/v1/remediations/begun/history": "", "/v1/remediations/begun/similar": "",
		"/v1/incident-events": "", "/v1/stats/success-rate": "group_by=name", "/v1/stats/trend": "interval=day",
	} {
		rows = append(rows, badQueryValues(path, query, append(wrongWord("consistency", "strong"), wrong{"consistency", "strong,eventual", "not_in_set"}), "consistency")...)
	}
	for query, named := range map[string][]string{
		"consistency=weak":                        {"consistency", "not_in_set"},
		"consistency=":                            {"consistency", "empty"},
		"Consistency=strong":                      {"Consistency", "unknown_field"},
		"consistency=strong&consistency=eventual": {"consistency", "not_repeatable"},
		"consistency=%zz&limit=5":                 {"consistency", "format", "limit", "unknown_field"},
	} {
		row := badSearch("", `{"query":"x"}`, named...)
		row.query = query
		rows = append(rows, row)
	}
	both := badSearch("and the body", `{"query":""}`, "consistency", "not_in_set", "query", "empty")
	both.query = "consistency=weak"
	write := badCreate("consistency", withMembers(recordMembers()), "consistency", "unknown_field")
	write.query = "consistency=strong"
	return append(rows, both, write, badGet("/ready", "consistency=strong", "consistency", "unknown_field"),
		badGet("/v1/remediations/<x>", "consistency=x", "remediation_id", "characters", "consistency", "not_in_set"),
		bad{method: "GET", path: "/v1/remediations/nobody", query: "consistency=strong", status: 404, kind: "not-found"})
}

func badParameters() []bad {
	const list = "/v1/remediations"
	rows := []bad{
		badGet(list, "foo=1", "foo", "unknown_field"), badGet(list, "Name=x", "Name", "unknown_field"),
		badGet(list, "name[]=x", `["name[]"]`, "unknown_field"),
		badGet(list, "limit", "limit", "empty"), badGet(list, "=x", `[""]`, "unknown_field"), badGet(list, "%00=x", `["\x00"]`, "unknown_field"),
		badGet(list, "name=a&name=%00", "name", "characters"), badGet(list, "name=a&n%61me=", "name", "empty"), badGet(list, "name&name", "name", "empty"),
		badGet(list, "phase=pending&phase=done", "phase", "not_in_set"), badGet(list, "id=1&id=2,3", "id", "format"),
		badGet(list, strings.Repeat("name=a&", 101), "name", "too_large"), badGet(list, "sort=start_time&sort=start_time", "sort", "not_repeatable"),
		badGet(list, "name=%zz", "name", "format"),
		badGet(list, "name=%", "name", "format"), badGet(list, "%zz=1", "", "format"), badGet(list, "%ff=1", `["\ufffd"]`, "unknown_field"),
		badGet(list, "query="+secret, "query", "unknown_field"),
		badGet(list, "limit=0&phase=x&foo=1&since=x&name=%zz&sort=up", "limit", "out_of_range", "phase", "not_in_set", "foo",
			"unknown_field", "since", "format", "name", "format", "sort", "not_in_set"),
		badGet("/v1/remediations/begun", "expand=children", "expand", "unknown_field"),
		badGet("/v1/remediations/begun", "id=%zz", "id", "format"), badGet("/ready", "verbose=1", "verbose", "unknown_field"),
		badGet("/openapi.json", "format=yaml", "format", "unknown_field"),
		badGet("/v1/remediations/<x>", "", "remediation_id", "characters"), badGet("/v1/remediations/a?b", "", "remediation_id", "characters"),
		badGet("/v1/remediations/a#b/history", "", "remediation_id", "characters"), badGet("/v1/remediations/\xff", "", "remediation_id", "characters"),
		badGet("/v1/remediations/"+strings.Repeat("x", 256), "", "remediation_id", "too_long"),
		badGet("/v1/remediations/a\tb/history", "", "remediation_id", "characters"),
		badGet("/v1/remediations/<x>/history", "limit=0", "remediation_id", "characters", "limit", "out_of_range"),
		badGet("/v1/remediations/<x>", "expand=1", "remediation_id", "characters", "expand", "unknown_field"),
	}
	for path, body := range map[string]string{
		"/v1/remediations": withMembers(recordMembers()), "/v1/remediations/batch": `{"records":[` + withMembers(recordMembers()) + `]}`,
		"/v1/search":                         `{"query":"x"}`,
		"/v1/remediations/begun/ai-analyses": `{"analysis_id":"new","provider":"p","model":"m"}`,
		"/v1/remediations/begun/workflows":   `{"workflow_id":"new","phase":"planning","total_steps":0,"completed_steps":0,"start_time":"2026-01-02T03:04:05Z"}`,
		"/v1/remediations/begun/executions":  `{"workflow_id":"new","execution_id":"new","action_type":"a","success":true,"start_time":"2026-01-02T03:04:05Z"}`,
	} {
		row := bad{method: "POST", path: path, query: "dry_run=true", body: body, status: 400, kind: "invalid", errors: fieldErrors("dry_run", "unknown_field")}
		rows = append(rows, row)
	}
	update := badUpdate("", `{"phase":1}`, "force", "unknown_field", "phase", "type")
	update.query = "force=true"
	broken := badCreate("malformed", `{"name":`, "dry_run", "unknown_field", "", "malformed_json")
	broken.query = "dry_run=true"
	return append(rows, update, broken)
}

// badCursors are cursors that this service did not make, or made for another request.
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
	events, err := stack.Client.IncidentEvents(t.Context(), client.ListIncidentEventsParams{Namespace: "shop", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	cursor, entry, event := page.Pagination.NextCursor, entries.Pagination.NextCursor, events.Pagination.NextCursor
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	rows := []bad{
		badGet(list, "namespace=shop&cursor="+cursor[:len(cursor)-1], "cursor", "mismatch"),
		badGet(list, "namespace=shop&cursor="+cursor+"A", "cursor", "mismatch"),
		badGet(list, "namespace=shop&cursor="+cursor+"=", "cursor", "mismatch"),
		badGet(list, "namespace=shop&cursor="+strings.ToUpper(cursor), "cursor", "mismatch"),
		badGet(list, "namespace=shop&cursor=x", "cursor", "mismatch"),
		badGet(list, "namespace=shop&cursor="+url.QueryEscape("' OR 1=1 --"), "cursor", "mismatch"),
		badGet(list, "namespace=shop&cursor="+base64.RawURLEncoding.EncodeToString([]byte(`{"offset":5}`)), "cursor", "mismatch"),
		badGet(list, "namespace=shop&cursor="+strings.Repeat("A", 10_000), "cursor", "mismatch"),
		badGet(list, "cursor="+cursor, "cursor", "mismatch"),
		badGet(list, "namespace=other&cursor="+cursor, "cursor", "mismatch"),
		badGet(list, "namespace=shop&phase=pending&cursor="+cursor, "cursor", "mismatch"),
		badGet(list, "namespace=shop&sort=start_time&cursor="+cursor, "cursor", "mismatch"),
		badGet(view, "namespace=shop&cursor="+cursor, "cursor", "mismatch"), badGet(list, "namespace=shop&cursor="+event, "cursor", "mismatch"),
		badGet(view, "cursor="+event, "cursor", "mismatch"), badGet(view, "namespace=other&cursor="+event, "cursor", "mismatch"),
		badGet(view, "namespace=shop&workflow_status=pending&cursor="+event, "cursor", "mismatch"),
		badGet(view, "namespace=shop&since=2020-01-01T00:00:00Z&cursor="+event, "cursor", "mismatch"),
		badGet(view, "namespace=shop&cursor="+event[:len(event)-1], "cursor", "mismatch"), badGet(view, "namespace=shop&cursor="+event+"A", "cursor", "mismatch"),
		badGet(view, "namespace=shop&cursor="+strings.ToUpper(event), "cursor", "mismatch"), badGet(view, "namespace=shop&cursor="+strings.Repeat("A", 10_000), "cursor", "mismatch"),
		badGet("/v1/remediations/a/history", "cursor="+entry, "cursor", "mismatch"), badGet(history, "cursor="+cursor, "cursor", "mismatch"),
		badGet(list, "cursor="+entry, "cursor", "mismatch"),
		badGet(list, "namespace=shop&cursor="+cursorOfOtherDatabase(t), "cursor", "mismatch"),
		badGet(list, "namespace=shop&offset=1&cursor="+cursor, "offset", "order"),
		badGet(list, "namespace=shop&cursor="+cursor+"&cursor="+cursor, "cursor", "not_repeatable"),
		badGet(list, "cursor="+cursor+"&limit=0&foo=1", "cursor", "mismatch", "limit", "out_of_range", "foo", "unknown_field"),
	}
	for at := range raw {
		flipped := append([]byte(nil), raw...)
		flipped[at] ^= 1 << (at % 8)
		rows = append(rows, badGet(list, "namespace=shop&cursor="+base64.RawURLEncoding.EncodeToString(flipped), "cursor", "mismatch"))
	}
	return rows
}

// cursorOfOtherDatabase returns a cursor of the same list and filters from another database.
func cursorOfOtherDatabase(t *testing.T) string {
	t.Helper()
	stack := endtoend.New(t, endtoend.Options{})
	// All test databases are copies of one database, including the key.
	execSQL(t, stack.Database.AdminURL(), "UPDATE cursor_key SET key = sha256('another database')")
	storeSeed(t, stack)
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
		"/v1/incident-events": "GET", "/v1/remediations/begun/similar": "GET", "/v1/stats/success-rate": "GET", "/v1/stats/trend": "GET",
		"/health": "GET", "/ready": "GET", "/openapi.json": "GET",
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
