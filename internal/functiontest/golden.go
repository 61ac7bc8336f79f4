package functiontest

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

// Golden invokes a function's handler with the events of every testdata/<case>.in.json and with the named
// samples, and compares the responses with testdata/<case>.out.json; if update is set, it writes that file
// instead. An input is one event, or a list of events and names of samples, which are sent in that order.
// newHandler returns a handler on a database of its own.
func Golden(t *testing.T, update bool, samples []string, newHandler func(*testing.T) lambda.Handler) {
	t.Helper()
	inputs, err := filepath.Glob(filepath.Join("testdata", "*.in.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range samples {
		inputs = append(inputs, samplePath(t, sample))
	}
	outputs := map[string]bool{}
	for _, input := range inputs {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(input), ".json"), ".in")
		output := filepath.Join("testdata", name+".out.json")
		outputs[output] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareWithGolden(t, update, input, output, newHandler(t))
		})
	}
	kept, err := filepath.Glob(filepath.Join("testdata", "*.out.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, output := range kept {
		if !outputs[output] {
			t.Errorf("%s has no input", output)
		}
	}
}

// Emulated sends the same events to the deployed form of the function in Lambda's Runtime Interface Emulator,
// on the database whose URL newURL returns for each case. It compares with the same golden files, except for
// the times of storing.
func Emulated(t *testing.T, function string, samples []string, newURL func(*testing.T) string) {
	t.Helper()
	bootstrap := Build(t, function)
	Golden(t, false, samples, func(t *testing.T) lambda.Handler {
		return &emulated{StartEmulator(t, bootstrap, newURL(t), nil)}
	})
}

// emulated is a handler that calls a function in the emulator.
type emulated struct{ emulator *sam.Emulator }

func (e *emulated) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	return e.emulator.Invoke(ctx, event)
}

func compareWithGolden(t *testing.T, update bool, input, output string, handler lambda.Handler) {
	t.Helper()
	var got bytes.Buffer
	for _, event := range readEvents(t, input) {
		payload, err := handler.Invoke(t.Context(), event)
		if err != nil {
			t.Fatalf("invoke: %v", err)
		}
		got.Write(formatResponse(t, payload))
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
	if _, ok := handler.(*emulated); ok {
		want, got = maskTimes(want), *bytes.NewBuffer(maskTimes(got.Bytes()))
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
}

// maskTimes replaces the times of storing, because the emulator uses the real clock.
func maskTimes(text []byte) []byte {
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
			list[i] = readEvents(t, samplePath(t, sample))[0]
		}
	}
	return list
}

// formatResponse indents a response and its JSON body, and masks what differs between runs. The response to an
// SQS batch has no body and is JSON itself.
func formatResponse(t *testing.T, payload []byte) []byte {
	t.Helper()
	if !bytes.Contains(payload, []byte(`"statusCode"`)) {
		var text bytes.Buffer
		if err := json.Indent(&text, payload, "", "  "); err != nil {
			t.Fatalf("response %s: %v", payload, err)
		}
		return append(text.Bytes(), '\n')
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(payload, &response); err != nil {
		t.Fatalf("response %s: %v", payload, err)
	}
	formatted := struct {
		Status  int               `json:"statusCode"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	}{response.StatusCode, response.Headers, json.RawMessage(response.Body)}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(formatted); err != nil {
		t.Fatal(err)
	}
	return maskVariables(text.Bytes())
}

// maskVariables masks cursors, durations, and the ids and hashes of journal entries. It replaces a vector by
// its length and truncates scores, whose last digits depend on the processor.
func maskVariables(text []byte) []byte {
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
