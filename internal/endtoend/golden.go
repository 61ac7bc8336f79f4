package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/sam"
)

// Golden invokes a function's handler with the events of every testdata/<case>.in.json, and of every sample event named, and compares
// the answers with testdata/<case>.out.json, which it writes instead when update is set. An input is one event, or a list of
// events, and of names of sample events, that are sent one after the other. newHandler makes a handler on a database of its own.
func Golden(t *testing.T, update bool, samples []string, newHandler func(*testing.T) lambda.Handler) {
	t.Helper()
	inputs, err := filepath.Glob(filepath.Join("testdata", "*.in.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range samples {
		inputs = append(inputs, filepath.Join(Root(t), "events", sample+".json"))
	}
	outputs := map[string]bool{}
	for _, input := range inputs {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(input), ".json"), ".in")
		output := filepath.Join("testdata", name+".out.json")
		outputs[output] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, update, input, output, newHandler(t))
		})
	}
	kept, err := filepath.Glob(filepath.Join("testdata", "*.out.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, output := range kept {
		if !outputs[output] {
			t.Errorf("%s is the answer to nothing", output)
		}
	}
}

// Emulated sends the same events to the function as it is deployed, in Lambda's Runtime Interface Emulator, on a database of each case's
// own at the URL that newURL answers, and compares with the same answers, but for the times of storing, which are the clock's here.
func Emulated(t *testing.T, function string, samples []string, newURL func(*testing.T) string) {
	t.Helper()
	bootstrap := Bootstrap(t, function)
	Golden(t, false, samples, func(t *testing.T) lambda.Handler {
		return &Sandbox{Emulator: NewEmulator(t, bootstrap, newURL(t), nil)}
	})
}

// Sandbox is a function in the emulator, as a handler.
type Sandbox struct{ *sam.Emulator }

// Invoke sends one event.
func (s *Sandbox) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	return s.Emulator.Invoke(ctx, event)
}

func golden(t *testing.T, update bool, input, output string, handler lambda.Handler) {
	t.Helper()
	var got bytes.Buffer
	for _, event := range readEvents(t, input) {
		payload, err := handler.Invoke(t.Context(), event)
		if err != nil {
			t.Fatalf("invoke: %v", err)
		}
		got.Write(legible(t, payload))
	}
	if update {
		if err := os.WriteFile(output, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	if _, emulated := handler.(*Sandbox); emulated {
		want, got = timeless(want), *bytes.NewBuffer(timeless(got.Bytes()))
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// timeless masks when something was stored.
func timeless(text []byte) []byte {
	return regexp.MustCompile(`"(created|updated|recorded)_at": "[^"]*"`).ReplaceAll(text, []byte(`"${1}_at": "<time>"`))
}

func readEvents(t *testing.T, path string) []json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text[0] != '[' {
		return []json.RawMessage{text}
	}
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	for i, item := range list {
		var sample string
		if json.Unmarshal(item, &sample) == nil {
			list[i] = readEvents(t, filepath.Join(Root(t), "events", sample+".json"))[0]
		}
	}
	return list
}

// legible is an answer with its body as the JSON that it is, and without what differs every time. The answer to an event that is not of
// the API is JSON already.
func legible(t *testing.T, payload []byte) []byte {
	t.Helper()
	if !bytes.Contains(payload, []byte(`"statusCode"`)) {
		var text bytes.Buffer
		if err := json.Indent(&text, payload, "", "  "); err != nil {
			t.Fatalf("answer %s: %v", payload, err)
		}
		return append(text.Bytes(), '\n')
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(payload, &response); err != nil {
		t.Fatalf("answer %s: %v", payload, err)
	}
	answer := struct {
		Status  int               `json:"statusCode"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	}{response.StatusCode, response.Headers, json.RawMessage(response.Body)}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(answer); err != nil {
		t.Fatal(err)
	}
	return masked(text.Bytes())
}

// masked replaces what differs every time: ids and hashes of journal entries, cursors, durations; a vector by its length; and cuts scores,
// whose last digits are the processor's.
func masked(text []byte) []byte {
	for _, mask := range []struct{ pattern, with string }{
		{`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`, "<event_id>"},
		{`\b[0-9a-f]{64}\b`, "<leaf_hash>"},
		{`cursor=[\w-]{40,}`, "cursor=<cursor>"},
		{`"next_cursor": "[\w-]{40,}"`, `"next_cursor": "<cursor>"`},
		{`"latency_ms": [0-9.]+`, `"latency_ms": 0`},
		{`"score": (-?[0-9]\.[0-9]{3})[0-9]*`, `"score": $1`},
		{`"embedding_vector": \[(\s*-?[0-9.e-]+,?){64}\s*\]`, `"embedding_vector": ["<64 numbers>"]`},
	} {
		text = regexp.MustCompile(mask.pattern).ReplaceAll(text, []byte(mask.with))
	}
	return text
}
