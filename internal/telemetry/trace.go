package telemetry

import "strings"

// runtimeTraceHeader is the context key of the trace header in Lambda's runtime (aws-lambda-go,
// lambda/invoke_loop.go).
const runtimeTraceHeader = "x-amzn-trace-id"

// trace is a parsed tracing header. parent is empty if X-Ray does not sample the request.
type trace struct {
	root, parent string
	sampled      bool
}

// parseTraceHeader parses Root=1-…;Parent=…;Sampled=1. It ignores malformed parts, because any
// caller can send the header.
func parseTraceHeader(header string) trace {
	var t trace
	for part := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case name == "Root" && isTraceID(value):
			t.root = value
		case name == "Parent" && isLowerHex(value, 16):
			t.parent = value
		case name == "Sampled":
			t.sampled = value == "1"
		}
	}
	return t
}

// hasSampledParent reports whether X-Ray accepts subsegments of the trace.
func (t trace) hasSampledParent() bool { return t.sampled && t.root != "" && t.parent != "" }

// header returns the tracing header of a sampled trace, of its checked parts alone.
func (t trace) header() string { return "Root=" + t.root + ";Parent=" + t.parent + ";Sampled=1" }

// isTraceID reports whether text has the form of a trace ID: 1-<8 hexadecimal digits of the
// time>-<24 more>.
func isTraceID(text string) bool {
	return len(text) == 35 && text[:2] == "1-" && isLowerHex(text[2:10], 8) && text[10] == '-' && isLowerHex(text[11:], 24)
}

func isLowerHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}
