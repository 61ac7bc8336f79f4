package api

import (
	"strings"
	"testing"
)

// TestPanicConcernsOneRecord shows what becomes of a panic while a record is read: writing to nil actions is one.
func TestPanicConcernsOneRecord(t *testing.T) {
	t.Parallel()
	good := `{"kind":"update","record":{"remediation_id":"r","phase":"completed"}}`
	bad := strings.Replace(good, `"phase":"completed"`, `"error_message":"\u0000"`, 1)
	message, err := DecodeMessage("["+bad+","+good+"]", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := message.Records[0].Err; err == nil || !strings.HasPrefix(err.Error(), "panic: ") || message.Records[0].Record != nil {
		t.Errorf("the first is %+v", message.Records[0])
	}
	if message.Records[1].Err != nil {
		t.Errorf("the second is %v", message.Records[1].Err)
	}
	if got := status(message.Records[0].Err); got.status != 500 {
		t.Errorf("a panic is a %d", got.status)
	}
}

// TestMessageField shows which field a fault of a message counts for.
func TestMessageField(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "request", "kind": "request", "[3].kind": "request", "data": "request", "record.name": "name", "data[3].record.metadata.a": "metadata",
	} {
		if got := messageField(path); got != want {
			t.Errorf("%s is of %q, want %q", path, got, want)
		}
	}
}
