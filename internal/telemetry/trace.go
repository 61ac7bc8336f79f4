package telemetry

import "strings"

// runtimeTraceHeader is the key under which Lambda's runtime puts the trace header into the context (aws-lambda-go, lambda/invoke_loop.go).
const runtimeTraceHeader = "x-amzn-trace-id"

// trace is what a tracing header says. Only root is there without an X-Ray that samples the request.
type trace struct {
	root, parent string
	sampled      bool
}

// parseTrace reads Root=1-…;Parent=…;Sampled=1. What is not of its form is left out: anybody can send the header.
func parseTrace(header string) trace {
	var t trace
	for part := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case name == "Root" && isRoot(value):
			t.root = value
		case name == "Parent" && isHex(value, 16):
			t.parent = value
		case name == "Sampled":
			t.sampled = value == "1"
		}
	}
	return t
}

// recorded reports whether subsegments of the trace have a place to go to.
func (t trace) recorded() bool { return t.sampled && t.root != "" && t.parent != "" }

// isRoot reports whether the text is a trace id: 1-<8 digits of the time>-<24 digits>.
func isRoot(text string) bool {
	return len(text) == 35 && text[:2] == "1-" && isHex(text[2:10], 8) && text[10] == '-' && isHex(text[11:], 24)
}

func isHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}
