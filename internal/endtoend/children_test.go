package endtoend_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

func fullAnalysis(id string) client.AIAnalysisInput {
	return client.AIAnalysisInput{
		AnalysisID: id, Provider: "مزود", Model: "模型 💾", ConfidenceScore: new(0.1 + 0.2), TokensUsed: new(int64(1<<53 - 1)),
		AnalysisDurationMS: new(int64(0)), Metadata: client.Metadata(`{"a":12345678901234567890.5}`),
	}
}

func fullWorkflow(id string) client.WorkflowInput {
	return client.WorkflowInput{
		WorkflowID: id, Phase: client.WorkflowPhaseExecuting, TotalSteps: math.MaxInt32, CompletedSteps: math.MaxInt32 - 1,
		StartTime: start, EndTime: new(start), Metadata: client.Metadata(`{"ดิสก์":["💾",1.50]}`),
	}
}

func fullExecution(id string) client.ExecutionInput {
	return client.ExecutionInput{
		WorkflowID: "w", ExecutionID: id, ActionType: "إعادة", TargetResource: new("pod/磁盘"), ClusterName: new("คลัสเตอร์"),
		Success: true, StartTime: start, EndTime: new(start.Add(time.Hour)), ExecutionTimeMS: new(int64(3_600_000)),
		ErrorMessage: new(unicode + "\n"), Metadata: client.Metadata(`{"n":-0.0,"💾":{}}`),
	}
}

// TestChildren stores children with all fields and with the required ones, and reads them
// back with their remediation, oldest first.
func TestChildren(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createRecord(t, stack, minimalRecord("r"))
	createRecord(t, stack, minimalRecord("other"))
	leastAnalysis := minimalAnalysis("a")
	leastWorkflow := client.WorkflowInput{WorkflowID: "w", Phase: client.WorkflowPhasePlanning, StartTime: start}
	leastExecution := client.ExecutionInput{WorkflowID: "w", ExecutionID: "e", ActionType: "x", StartTime: start}
	for _, id := range []string{"r", "other"} {
		send(t, stack.Client.CreateAIAnalysis, id, fullAnalysis("z"), leastAnalysis)
		send(t, stack.Client.CreateWorkflow, id, fullWorkflow("z"), leastWorkflow)
		send(t, stack.Client.CreateExecution, id, fullExecution("z"), leastExecution)
	}
	got, err := stack.Client.GetRemediation(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	a, w, e := fullAnalysis("z"), fullWorkflow("z"), fullExecution("z")
	none := client.Metadata("{}")
	want := client.RemediationChildren{
		AIAnalyses: []client.AIAnalysis{
			{
				AnalysisID: "z", Provider: a.Provider, Model: a.Model, ConfidenceScore: a.ConfidenceScore, TokensUsed: a.TokensUsed,
				AnalysisDurationMS: a.AnalysisDurationMS, Metadata: a.Metadata, Actor: "local",
			},
			{AnalysisID: "a", Provider: "p", Model: "m", Metadata: none, Actor: "local"},
		},
		Workflows: []client.Workflow{
			{
				WorkflowID: "z", Phase: w.Phase, TotalSteps: w.TotalSteps, CompletedSteps: w.CompletedSteps, StartTime: w.StartTime,
				EndTime: w.EndTime, Metadata: w.Metadata, Actor: "local",
			},
			{WorkflowID: "w", Phase: client.WorkflowPhasePlanning, StartTime: start, Metadata: none, Actor: "local"},
		},
		Executions: []client.Execution{
			{
				WorkflowID: "w", ExecutionID: "z", ActionType: e.ActionType, TargetResource: *e.TargetResource, ClusterName: *e.ClusterName,
				Success: true, StartTime: start, EndTime: e.EndTime, ExecutionTimeMS: e.ExecutionTimeMS, ErrorMessage: e.ErrorMessage,
				Metadata: e.Metadata, Actor: "local",
			},
			{WorkflowID: "w", ExecutionID: "e", ActionType: "x", StartTime: start, Metadata: none, Actor: "local"},
		},
	}
	ignore := gocmp.Options{
		sameMetadata(), cmpopts.IgnoreFields(client.AIAnalysis{}, "CreatedAt"), cmpopts.IgnoreFields(client.Workflow{}, "CreatedAt"),
		cmpopts.IgnoreFields(client.Execution{}, "CreatedAt"),
	}
	if diff := gocmp.Diff(want, got.RemediationChildren, ignore); diff != "" {
		t.Error(diff)
	}
	wantJournal(t, stack, "r", 7)
}

// send stores children twice: the second request is a replay and returns the first response.
func send[R any](
	t *testing.T, create func(ctx context.Context, id string, record R) (*client.Written, error), id string, records ...R,
) {
	t.Helper()
	for _, record := range records {
		first, err := create(t.Context(), id, record)
		if err != nil || first.Replayed {
			t.Fatal(first, err)
		}
		again, err := create(t.Context(), id, record)
		if err != nil {
			t.Fatal(err)
		}
		first.Replayed = true
		if diff := gocmp.Diff(first, again); diff != "" {
			t.Error(diff)
		}
	}
}

// TestChildrenWithoutRemediation checks that such children are refused and nothing is stored.
func TestChildrenWithoutRemediation(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	_, analysis := stack.Client.CreateAIAnalysis(t.Context(), "nobody", fullAnalysis("a"))
	_, workflow := stack.Client.CreateWorkflow(t.Context(), "nobody", fullWorkflow("w"))
	_, execution := stack.Client.CreateExecution(t.Context(), "nobody", fullExecution("e"))
	for name, err := range map[string]error{"analysis": analysis, "workflow": workflow, "execution": execution} {
		if !errors.Is(err, client.ErrNotFound) {
			t.Errorf("%s: %v, want not found", name, err)
		}
	}
	if n := countJournal(stack); n != 0 {
		t.Errorf("%d journal entries", n)
	}
}

// TestManyChildren checks that a response is bounded and lists the kinds that it truncates.
func TestManyChildren(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createRecord(t, stack, minimalRecord("r"))
	execSQL(t, stack.Database.AdminURL(), fmt.Sprintf(`INSERT INTO ai_analysis_audit
		(remediation_id, analysis_id, provider, model, actor, event_id, created_at)
		SELECT 'r', 'a' || i, 'p', 'm', 'x', gen_random_uuid(), timestamptz '%s' + make_interval(secs => i)
		FROM generate_series(1, 1001) AS i`, start.Format(time.RFC3339)))
	got, err := stack.Client.GetRemediation(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]client.ChildKind{client.ChildKindAIAnalyses}, got.Truncated); diff != "" {
		t.Error(diff)
	}
	if n := len(got.AIAnalyses); n != 1000 || got.AIAnalyses[0].AnalysisID != "a1" || got.AIAnalyses[n-1].AnalysisID != "a1000" {
		t.Errorf("%d analyses", n)
	}
}
