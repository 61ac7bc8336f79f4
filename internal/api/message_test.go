package api_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// recordsByKind returns a minimal record of each kind.
func recordsByKind() map[string]string {
	return map[string]string{
		"remediation": `{"kind":"remediation","record":{"remediation_id":"r","name":"n","namespace":"s","action_type":"a","phase":"pending","status":"pending","start_time":"2026-01-02T03:04:05Z"}}`,
		"update":      `{"kind":"update","record":{"remediation_id":"r","error_message":null}}`,
		"ai_analysis": `{"kind":"ai_analysis","record":{"remediation_id":"r","analysis_id":"a","provider":"p","model":"m"}}`,
		"workflow":    `{"kind":"workflow","record":{"remediation_id":"r","workflow_id":"w","phase":"planning","total_steps":1,"completed_steps":0,"start_time":"2026-01-02T03:04:05Z"}}`,
		"execution":   `{"kind":"execution","record":{"remediation_id":"r","workflow_id":"w","execution_id":"e","action_type":"a","success":false,"start_time":"2026-01-02T03:04:05Z"}}`,
	}
}

// decoded is a message with decoded records.
type decoded struct {
	Array   bool
	Records []decodedRecord
}

type decodedRecord struct {
	Record audit.Record
	Err    error
	Text   json.RawMessage
}

func decodeMessage(body string, actions redact.Actions) (decoded, error) {
	message, err := api.OpenMessage(body)
	all := decoded{Array: message.Array}
	for _, item := range message.Items {
		record, err := item.Decode(actions)
		all.Records = append(all.Records, decodedRecord{record, err, item.Text})
	}
	return all, err
}

func cloudEvent(data string) string {
	return `{"specversion":"1.0","id":"1","source":"s","type":"t","data":` + data + `}`
}

// TestMessage checks that each kind decodes to the same record in every form of message.
func TestMessage(t *testing.T) {
	t.Parallel()
	for kind, text := range recordsByKind() {
		for form, body := range map[string]string{
			"record": text, "array": " [" + text + "]", "event": cloudEvent(text), "event of an array": cloudEvent("[" + text + "]"),
		} {
			message, err := decodeMessage(body, redact.Actions{})
			if err != nil || len(message.Records) != 1 || message.Records[0].Err != nil {
				t.Errorf("%s as %s: %+v, %v", kind, form, message, err)
				continue
			}
			entry, err := audit.NewEntry(message.Records[0].Record, "a", start)
			if err != nil || string(entry.Kind) != kind || entry.RemediationID != "r" {
				t.Errorf("%s as %s: kind %s, remediation %q, %v", kind, form, entry.Kind, entry.RemediationID, err)
			}
			if message.Array != strings.Contains(form, "array") || string(message.Records[0].Text) != text {
				t.Errorf("%s as %s: array is %v, text %s", kind, form, message.Array, message.Records[0].Text)
			}
		}
	}
}

// TestMessageErrors checks which field each validation error names, and that it affects only its
// own record.
func TestMessageErrors(t *testing.T) {
	t.Parallel()
	good := recordsByKind()["remediation"]
	for _, c := range []struct {
		body string
		// want lists the errors of the whole message or, if there are none, of its last record.
		want []string
	}{
		{``, []string{" empty"}},
		{`{`, []string{" malformed_json"}},
		{`[1,]`, []string{" malformed_json"}},
		{`1`, []string{" type"}},
		{`[]`, []string{" too_large"}},
		{cloudEvent(`[]`), []string{"data too_large"}},
		{`{"kind":"a","kind":"b","record":{}}`, []string{"kind duplicate"}},
		{`{"kind":1,"record":[],"x y":1}`, []string{"kind type", `["x y"] unknown_field`}},
		{`{}`, []string{"kind required", "record required"}},
		{`{"kind":"remedy","record":{}}`, []string{"kind not_in_set"}},
		{`[` + good + `,{"kind":"remedy","record":{}}]`, []string{"[1].kind not_in_set"}},
		{`[` + good + `,2]`, []string{"[1] type"}},
		{`[` + good + `,{"kind":"update","record":{"remediation_id":"r","phase":"x","a":{"b":1}}}]`, []string{"[1].record.a unknown_field", "[1].record.phase not_in_set"}},
		{`[` + good + `,{"kind":"update","record":{"remediation_id":"r"}}]`, []string{"[1].record empty"}},
		{`[` + good + `,{"kind":"update","record":{"remediation_id":"r","remediation_id":"s"}}]`, []string{"[1].record.remediation_id duplicate"}},
		{cloudEvent(`{"kind":"workflow","record":{"remediation_id":"a/b"}}`), []string{
			"data.record.workflow_id required", "data.record.phase required", "data.record.total_steps required", "data.record.completed_steps required",
			"data.record.start_time required", "data.record.remediation_id characters",
		}},
		{cloudEvent(`[` + good + `,{"kind":"execution","record":7}]`), []string{"data[1].record type"}},
		{`{"specversion":"0.3","id":"","source":1,"data":{}}`, []string{"id empty", "source type", "type required", "specversion unsupported"}},
		{`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"application/xml","data_base64":""}`, []string{
			"datacontenttype unsupported", "data_base64 unsupported",
		}},
		{`{"specversion":"1.0","id":"1","id":"2","source":"s","type":"t","data":{}}`, []string{"id duplicate"}},
		{strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), []string{strings.Repeat("[0]", 16) + " too_deep"}},
	} {
		message, err := decodeMessage(c.body, redact.Actions{})
		if err == nil {
			for _, record := range message.Records[:len(message.Records)-1] {
				if record.Err != nil {
					t.Errorf("%.100s: another record has the error %v", c.body, record.Err)
				}
			}
			err = message.Records[len(message.Records)-1].Err
		}
		var errs audit.ValidationErrors
		if !errors.As(err, &errs) {
			t.Errorf("%.100s: %v", c.body, err)
			continue
		}
		var got []string
		for _, fieldError := range errs {
			got = append(got, fieldError.Field+" "+fieldError.Code)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%.100s (-want +got):\n%s", c.body, diff)
		}
	}
}

// TestMessageIsSanitized checks that messages are redacted like requests, and that redactions are
// counted.
func TestMessageIsSanitized(t *testing.T) {
	t.Parallel()
	actions := redact.Actions{}
	message, err := decodeMessage(strings.Replace(recordsByKind()["update"], "null", `"password=hunter2xyz \u0000"`, 1), actions)
	if err != nil || message.Records[0].Err != nil {
		t.Fatalf("%+v, %v", message, err)
	}
	update, ok := message.Records[0].Record.(*audit.Update)
	if !ok || strings.Contains(*update.ErrorMessage.Value, "hunter2xyz") || actions[redact.ActionControlRemoved] != 1 {
		t.Errorf("sanitized to %v, counted %v", *update.ErrorMessage.Value, actions)
	}
}

// FuzzMessage checks arbitrary messages: each item has a record or an error, its text is the text
// sent, and an accepted record yields a journal entry.
func FuzzMessage(f *testing.F) {
	for _, text := range recordsByKind() {
		f.Add(text)
		f.Add("[" + text + "," + text + "]")
		f.Add(cloudEvent(text))
		f.Add(cloudEvent("[" + text + ",{}]"))
	}
	f.Add(`{"specversion":"1.0"}`)
	f.Add(`[1 , "a\\",]\\\"" ,{"b":[{}]},[ ] ]`)
	f.Add("[\xff\"\\ud800\"]")
	f.Fuzz(func(t *testing.T, body string) {
		message, err := decodeMessage(body, redact.Actions{})
		var errs audit.ValidationErrors
		if err != nil {
			if !errors.As(err, &errs) || len(message.Records) > 0 {
				t.Errorf("%v with %d records", err, len(message.Records))
			}
			return
		}
		if n := len(message.Records); n == 0 || !message.Array && n != 1 || n > api.MaxMessageRecords {
			t.Errorf("%d records, array is %v", n, message.Array)
		}
		if message.Array && !strings.Contains(body, "specversion") {
			var items []json.RawMessage
			if err := json.Unmarshal([]byte(body), &items); err != nil || len(items) != len(message.Records) {
				t.Fatalf("%d items are split into %d", len(items), len(message.Records))
			}
			for i, item := range items {
				if string(item) != string(message.Records[i].Text) {
					t.Errorf("item %d is %q, not %q", i, item, message.Records[i].Text)
				}
			}
		}
		for _, record := range message.Records {
			if !json.Valid(record.Text) || !strings.Contains(body, string(record.Text)) {
				t.Errorf("the text of a record is %q", record.Text)
			}
			switch {
			case record.Err != nil:
				if !errors.As(record.Err, &errs) || record.Record != nil {
					t.Errorf("the error is %v, with %v", record.Err, record.Record)
				}
			default:
				if _, err := audit.NewEntry(record.Record, "a", start); err != nil {
					t.Errorf("no entry of %s: %v", record.Text, err)
				}
			}
		}
	})
}
