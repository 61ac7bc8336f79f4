package handler

import (
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// TestPanicConcernsOneRecord shows what becomes of a panic while a record is decoded: counting in a map that is nil is one. The message is
// reported, since nobody knows better.
func TestPanicConcernsOneRecord(t *testing.T) {
	t.Parallel()
	opened, err := api.OpenMessage(`[{"kind":"update","record":{"remediation_id":"r","error_message":"\u0000"}},
		{"kind":"update","record":{"remediation_id":"r","phase":"completed"}}]`)
	if err != nil {
		t.Fatal(err)
	}
	m := message{array: true}
	for _, item := range opened.Items {
		record := queued{item: item, actor: "sqs:a"}
		record.decode(time.Now(), nil)
		m.records = append(m.records, record)
	}
	if err := m.records[0].err; err == nil || !strings.HasPrefix(err.Error(), "panic: ") {
		t.Errorf("the first record's error is %v", err)
	}
	if m.records[1].err != nil || m.records[1].entry.RemediationID != "r" {
		t.Errorf("the second is %+v", m.records[1])
	}
	if got := m.fate(); got != telemetry.Failure {
		t.Errorf("the message is %s", got)
	}
}
