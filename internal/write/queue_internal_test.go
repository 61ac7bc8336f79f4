package write

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/internal/api"
)

// TestMargin checks that work on an event stops before the invocation's deadline, and is unlimited
// without a deadline.
func TestMargin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		invocation, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		work, stop := withQueueMargin(invocation)
		defer stop()
		<-work.Done()
		if worked := time.Since(began); worked != time.Minute-queueMargin || invocation.Err() != nil {
			t.Errorf("the work ended after %v of a minute, with a margin of %v", worked, queueMargin)
		}
		unlimited, stop := withQueueMargin(t.Context())
		defer stop()
		if deadline, limited := unlimited.Deadline(); limited {
			t.Errorf("without a deadline, the work ends at %v", deadline)
		}
	})
}

// TestPanicConcernsOneRecord checks that a panic while decoding a record fails that record and
// not the others. The nil map of actions makes the first record panic.
func TestPanicConcernsOneRecord(t *testing.T) {
	t.Parallel()
	opened, err := api.OpenMessage(`[{"kind":"update","record":{"remediation_id":"r","error_message":"\u0000"}},
		{"kind":"update","record":{"remediation_id":"r","phase":"completed"}}]`)
	if err != nil {
		t.Fatal(err)
	}
	m := message{isArray: true}
	for _, item := range opened.Items {
		record := messageRecord{item: item, actor: "sqs:a"}
		record.decodeEntry(time.Now(), nil)
		m.records = append(m.records, record)
	}
	if err := m.records[0].err; err == nil || !strings.HasPrefix(err.Error(), "panic: ") {
		t.Errorf("the first record's error is %v", err)
	}
	if m.records[1].err != nil || m.records[1].entry.RemediationID != "r" {
		t.Errorf("the second is %+v", m.records[1])
	}
	if got := m.worstStatus(); got != messageFailed {
		t.Errorf("the message is %s", got.label())
	}
}

// BenchmarkQueueDecode decodes an event of 1,000 records of 1.4 kB in ten messages to entries.
func BenchmarkQueueDecode(b *testing.B) {
	record := `{"kind":"remediation","record":{"remediation_id":"r-%d","name":"KubePodCrashLooping","namespace":"shop","cluster_name":"eu-1",` +
		`"environment":"production","severity":"high","action_type":"restart_pod","target_resource":"deployment/checkout-%d","phase":"completed",` +
		`"status":"success","start_time":"2026-01-02T03:04:05.123456Z","end_time":"2026-01-02T03:05:05Z","metadata":{"attempt":1,"cpu":0.75,` +
		`"labels":["team:platform","tier:1"],"replicas":{"after":5,"before":3}},"error_message":` + string(jsonString(b, strings.Repeat(
		"checkout: deadline exceeded while talking to 10.12.4.7:9092 (attempt 5 of 5, after 30s)\n", 4))) + `,"workflow_yaml":` + string(jsonString(b,
		strings.Repeat("- name: restart\n  run: kubectl rollout restart deploy/checkout --timeout=120s\n", 5))) + `}}`
	var event events.SQSEvent
	for first := range 10 {
		items := make([]string, 100)
		for i := range items {
			items[i] = fmt.Sprintf(record, 100*first+i, i)
		}
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: fmt.Sprint(first), EventSource: "aws:sqs", Attributes: map[string]string{"SenderId": "AROAEXAMPLE:bench"},
			Body: "[" + strings.Join(items, ",") + "]",
		})
	}
	payload := jsonString(b, event)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		read, err := readQueueEvent(payload)
		if err != nil {
			b.Fatal(err)
		}
		d := newDelivery(queue{}, read)
		d.decodeRecords(time.Now())
		if records := validRecords(d.messages); len(records) != 1000 {
			b.Fatalf("%d valid records", len(records))
		}
	}
}

func jsonString(b *testing.B, value any) []byte {
	b.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	return text
}
