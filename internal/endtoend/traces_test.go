package endtoend_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
)

// TestTraces compares the subsegments of requests with what the requests do: each statement by its name, each
// call of the provider, and the hits of the cache.
func TestTraces(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env(), TraceDaemon: daemon.Address})
	const embed = "embed made-up@32"
	for _, c := range []struct {
		name string
		call
		want         []string // in this order
		hits, misses float64
		status       string
	}{
		{
			"a new incident",
			call{"createRemediation", "POST", "/v1/remediations", "", withMembers(recordMembers(), "remediation_id", `"r-1"`)},
			[]string{"EmbeddingModelList", "SignatureStored", embed, "RemediationAppend"},
			0, 1, "success",
		},
		{
			"the same incident",
			call{"createRemediation", "POST", "/v1/remediations", "", withMembers(recordMembers(), "remediation_id", `"r-2"`)},
			[]string{"RemediationAppendKnown"},
			1, 0, "success",
		},
		{
			"a child",
			call{"createAIAnalysis", "POST", "/v1/remediations/r-1/ai-analyses", "", `{"analysis_id":"a","provider":"p","model":"m"}`},
			[]string{"AIAnalysisAppend"},
			0, 0, "success",
		},
		{
			"an update",
			call{"updateRemediation", "PATCH", "/v1/remediations/r-1", "", `{"error_message":"disk is full"}`},
			[]string{"RemediationGet", "SignatureStored", embed, "begin", "RemediationLock", "RemediationUpdate", "commit"},
			0, 1, "success",
		},
		{
			"a remediation",
			call{"getRemediation", "GET", "/v1/remediations/r-1", "", ""},
			[]string{"RemediationGet", "RemediationChildKinds", "AIAnalysisList"},
			0, 0, "success",
		},
		{"a wrong search", call{"search", "POST", "/v1/search", "", `{"limit":0}`}, nil, 0, 0, "rejected"},
	} {
		if status, body := c.send(t, stack); status >= 500 {
			t.Fatalf("%s: %d %s", c.name, status, body)
		}
		segment := daemon.Next(t)
		var names []string
		for _, part := range segment.Subsegments {
			// The list of models is read again after some seconds, which may have passed since the first request.
			if part.Name == "EmbeddingModelList" && c.name != "a new incident" {
				continue
			}
			names = append(names, part.Name)
			if (part.Name == embed) != (part.Namespace == "remote") || (part.Name == embed) != (part.SQL == nil) || part.Fault {
				t.Errorf("%s: %+v", c.name, part)
			}
		}
		if diff := gocmp.Diff(c.want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		of := segment.Annotations
		if segment.Name != c.operation || segment.TraceID != traceRoot || segment.ParentID != traceParent || segment.Error != (c.status == "rejected") ||
			of["cache_hits"] != c.hits || of["cache_misses"] != c.misses || of["status"] != c.status || of["request_id"] == "" {
			t.Errorf("%s: %+v", c.name, segment)
		}
		for _, part := range []string{"SELECT", "INSERT", "KubePodCrashLooping", "disk is full", "password", "postgres://"} {
			if strings.Contains(segment.Text, part) {
				t.Errorf("%s discloses %s", c.name, part)
			}
		}
	}
}

// TestTracesNameStatements sends every operation, and checks that every statement in the
// traces is one of queries/, by its name.
func TestTracesNameStatements(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	stack := endtoend.New(t, endtoend.Options{TraceDaemon: daemon.Address})
	storeSeed(t, stack)
	known, seen := append(statementNames(t), "begin", "commit", "rollback"), map[string]bool{}
	for _, c := range withText("r-00001") {
		if _, body := c.send(t, stack); body == "" {
			t.Errorf("%s: no response", c.path)
		}
		for _, part := range daemon.Next(t).Subsegments {
			seen[part.Name] = true
			if part.SQL != nil && !slices.Contains(known, part.Name) {
				t.Errorf("%s: statement %s", c.operation, part.Name)
			}
		}
	}
	for _, name := range []string{"RemediationAppend", "RemediationList", "SearchNearest", "SearchLexical", "StatsRates"} {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, name) && seen[k] }) {
			t.Errorf("%s was not traced", name)
		}
	}
	stack.Functions.Close()
	if _, body := (call{"getRemediation", "GET", "/v1/remediations/r", "", ""}).send(t, stack); !daemon.Next(t).Fault {
		t.Errorf("no fault in the segment of %s", body)
	}
}

func statementNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(functiontest.Root(t), "queries", "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^-- name: (\w+) :`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, match[1])
		}
	}
	return names
}
