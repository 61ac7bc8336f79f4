package endtoend_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/local"
)

// consumeMessages invokes the write function with messages of these bodies, and returns the
// indexes of those that it reports as failed.
func consumeMessages(t *testing.T, stack *endtoend.Stack, bodies ...string) []int {
	t.Helper()
	var event events.SQSEvent
	numbers := map[string]int{}
	for i, body := range bodies {
		id := fmt.Sprint("message-", i)
		numbers[id] = i
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: id, Body: body, EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:records",
			Attributes: map[string]string{"SenderId": "AROAEXAMPLE:controller"},
		})
	}
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	output, err := stack.Functions.Handlers["WriteFunction"].Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var response events.SQSEventResponse
	if err := json.Unmarshal(output, &response); err != nil {
		t.Fatal(err)
	}
	var reported []int
	for _, failure := range response.BatchItemFailures {
		number, sent := numbers[failure.ItemIdentifier]
		if !sent {
			t.Errorf("the response reports %q, which was not sent", failure.ItemIdentifier)
		}
		reported = append(reported, number)
	}
	return reported
}

// reject is a message in the rejects queue.
type reject struct {
	ID        string `json:"reject_id"`
	Queue     string
	MessageID string `json:"message_id"`
	Index     int
	Actor     string
	Problem   struct {
		Status int
		Type   string
		Errors []struct{ Field, Code string }
	}
	Message json.RawMessage
}

// TestQueueRejects checks that the rejects queue receives each bad record of an array whole, with its problem,
// before the array is acknowledged, and the same record again under the same ID. An array whose rejects cannot
// be sent is reported as failed.
func TestQueueRejects(t *testing.T) {
	t.Parallel()
	q := &queueRun{t: t, client: localStack.client(t)}
	queues, err := local.MakeQueues(t.Context(), q.client, local.QueuesConfig{Name: "rejects-of", Visibility: time.Minute, MaxReceives: 5})
	if err != nil {
		t.Fatal(err)
	}
	q.stack = endtoend.New(t, endtoend.Options{Env: map[string]string{"DATASTORAGE_REJECTS_QUEUE_URL": queues.Rejects}})
	good, _ := queueRecord("remediation", "good", "")
	done, _ := queueRecord("update", "good", "")
	other := strings.Replace(good, `"Queued"`, `"Another"`, 1)
	back := strings.Replace(done, `"completed"`, `"pending"`, 1)
	before := strings.Replace(done, `"phase":"completed","status":"success"`, `"end_time":"2001-01-01T00:00:00Z"`, 1)
	unlike := `{ "kind": "remedy",  "record": {"note": "<&> \u00e9 12345678901234567890"} }`
	if reported := consumeMessages(t, q.stack, good); reported != nil {
		t.Fatalf("reported: %v", reported)
	}
	var many []string
	for i := range 25 {
		many = append(many, fmt.Sprintf(`{"kind":"remediation","record":{"remediation_id":"many-%d"}}`, i))
	}
	type outcome struct {
		Status int
		Field  string
	}
	for _, c := range []struct {
		name     string
		items    []string
		reported []int
		want     map[int]outcome
	}{
		{"every kind of refusal", []string{good, other, before, done, unlike, back}, nil, map[int]outcome{
			1: {409, ""}, 2: {422, "record.end_time"}, 4: {400, "[4].kind"}, 5: {409, ""},
		}},
		{"the same again", []string{good, other, before, done, unlike, back}, nil, map[int]outcome{
			1: {409, ""}, 2: {422, "record.end_time"}, 4: {400, "[4].kind"}, 5: {409, ""},
		}},
		{"all bad", many, nil, nil},
		{"as large as can be", slices.Repeat([]string{`{"kind":"` + strings.Repeat("x", 130_900) + `","record":{}}`}, 8), nil, nil},
		{"too large with its problem", []string{done, `{"kind":"` + strings.Repeat("x", 1_048_400) + `","record":{}}`}, []int{0}, map[int]outcome{}},
	} {
		if diff := gocmp.Diff(c.reported, consumeMessages(t, q.stack, "["+strings.Join(c.items, ",")+"]")); diff != "" {
			t.Errorf("%s: reported (-want +got):\n%s", c.name, diff)
		}
		got := map[int]outcome{}
		ids := map[string]string{}
		for _, body := range q.receiveAll(queues.Rejects) {
			var r reject
			if err := json.Unmarshal([]byte(body), &r); err != nil {
				t.Fatal(err)
			}
			if !sameJSON(t, string(r.Message), c.items[r.Index]) {
				t.Errorf("%s: the reject of %s holds %s", c.name, c.items[r.Index], r.Message)
			}
			if r.MessageID != "message-0" || r.Queue != "arn:aws:sqs:us-east-1:000000000000:records" || r.Actor != "sqs:AROAEXAMPLE:controller" {
				t.Errorf("%s: a reject is %.300s", c.name, body)
			}
			one := outcome{Status: r.Problem.Status}
			if len(r.Problem.Errors) > 0 {
				one.Field = r.Problem.Errors[0].Field
			}
			got[r.Index] = one
			ids[r.ID] = c.items[r.Index]
		}
		if c.want == nil {
			if len(got) != len(c.items) {
				t.Errorf("%s: %d rejects, want %d", c.name, len(got), len(c.items))
			}
			continue
		}
		if diff := gocmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: rejects (-want +got):\n%s", c.name, diff)
		}
		if len(ids) != len(got) {
			t.Errorf("%s: ids %v", c.name, ids)
		}
	}
	if n := queryValue[int](t, q.stack.Database.SuperuserURL(), "SELECT count(*) FROM audit_event"); n != 2 {
		t.Errorf("%d entries of the journal, want 2", n)
	}
}

// sameJSON compares two JSON texts, ignoring white space.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var compact [2]strings.Builder
	for i, text := range []string{a, b} {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(&compact[i]).Encode(value); err != nil {
			t.Fatal(err)
		}
	}
	return compact[0].String() == compact[1].String()
}

// TestQueueRejectsKeepTheirIDs checks that a reject's ID depends only on the record, not
// on the message that contains it.
func TestQueueRejectsKeepTheirIDs(t *testing.T) {
	t.Parallel()
	q := &queueRun{t: t, client: localStack.client(t)}
	queues, err := local.MakeQueues(t.Context(), q.client, local.QueuesConfig{Name: "ids-of", Visibility: time.Minute, MaxReceives: 5})
	if err != nil {
		t.Fatal(err)
	}
	q.stack = endtoend.New(t, endtoend.Options{Env: map[string]string{"DATASTORAGE_REJECTS_QUEUE_URL": queues.Rejects}})
	bad := `{"kind":"remediation","record":{}}`
	if reported := consumeMessages(t, q.stack, "["+bad+",1]", "[2,"+bad+"]"); reported != nil {
		t.Errorf("reported: %v", reported)
	}
	ids := map[string][]string{}
	for _, body := range q.receiveAll(queues.Rejects) {
		var r reject
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		ids[r.ID] = append(ids[r.ID], string(r.Message))
	}
	got := map[string]int{}
	for _, messages := range ids {
		got[strings.Join(messages, " ")]++
	}
	if diff := gocmp.Diff(map[string]int{bad + " " + bad: 1, "1": 1, "2": 1}, got); diff != "" {
		t.Errorf("records by their ids (-want +got):\n%s", diff)
	}
}
