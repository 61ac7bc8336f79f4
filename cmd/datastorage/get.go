package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
)

func newGet(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "get ID",
		Short: "Show one remediation with its analyses, workflows and executions",
		Example: `  datastorage get rem-2026-0001
  datastorage get rem-2026-0001 --json | jq .executions`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.showRemediation(cmd.Context(), args[0]) },
	}
}

func (a *app) showRemediation(ctx context.Context, id string) error {
	recorder := new(responseRecorder)
	api, err := a.newClient(ctx, recorder.clientOption())
	if err != nil {
		return err
	}
	remediation, err := api.GetRemediation(ctx, id)
	if err != nil {
		return a.newCallError(fmt.Sprintf("cannot show remediation %q", id), err, "datastorage list")
	}
	return a.printResponse(recorder, func() error { return a.printDetail(remediation) })
}

func (a *app) printDetail(r *client.RemediationDetail) error {
	if err := a.out.Record(a.remediationFields(r.Remediation)); err != nil {
		return err
	}
	for _, children := range []struct {
		columns []console.Column
		rows    [][]string
	}{
		{analysisColumns(), a.analysisRows(r.AIAnalyses)},
		{workflowColumns(), a.workflowRows(r.Workflows)},
		{executionColumns(), a.executionRows(r.Executions)},
	} {
		if len(children.rows) == 0 {
			continue
		}
		if a.out.Terminal {
			_, _ = fmt.Fprintln(a.out)
		}
		if err := a.out.Table(children.columns, children.rows); err != nil {
			return err
		}
	}
	for _, kind := range r.Truncated {
		a.talk.Line("not all %s are shown: there are too many for one response", kind)
	}
	return nil
}

func (a *app) remediationFields(r client.Remediation) []console.Field {
	return []console.Field{
		{Name: "remediation", Value: r.RemediationID},
		{Name: "id", Value: strconv.FormatInt(r.ID, 10)},
		{Name: "name", Value: r.Name},
		{Name: "namespace", Value: r.Namespace},
		{Name: "cluster", Value: r.ClusterName},
		{Name: "environment", Value: string(r.Environment)},
		{Name: "severity", Value: string(r.Severity)},
		{Name: "fingerprint", Value: r.AlertFingerprint},
		{Name: "action", Value: r.ActionType},
		{Name: "target", Value: r.TargetResource},
		{Name: "phase", Value: string(r.Phase)},
		{Name: "status", Value: string(r.Status)},
		{Name: "started", Value: a.formatTime(r.StartTime)},
		{Name: "ended", Value: a.formatOptionalTime(r.EndTime)},
		{Name: "took", Value: formatMilliseconds(r.DurationMS)},
		{Name: "signature", Value: r.SignatureID},
		{Name: "actor", Value: r.Actor},
		{Name: "created", Value: a.formatTime(r.CreatedAt)},
		{Name: "updated", Value: a.formatTime(r.UpdatedAt)},
		{Name: "metadata", Value: string(r.Metadata)},
		{Name: "error", Value: stringOrEmpty(r.ErrorMessage)},
		{Name: "workflow", Value: stringOrEmpty(r.WorkflowYAML)},
	}
}

func analysisColumns() []console.Column {
	return []console.Column{
		{Title: "KIND"},
		{Title: "ANALYSIS"},
		{Title: "RECORDED (UTC)"},
		{Title: "PROVIDER"},
		{Title: "MODEL"},
		{Title: "CONFIDENCE"},
		{Title: "TOKENS"},
		{Title: "TOOK"},
	}
}

func (a *app) analysisRows(analyses []client.AIAnalysis) [][]string {
	rows := make([][]string, len(analyses))
	for i, c := range analyses {
		confidence := ""
		if c.ConfidenceScore != nil {
			confidence = strconv.FormatFloat(*c.ConfidenceScore, 'g', -1, 64)
		}
		rows[i] = []string{
			"ai_analysis", c.AnalysisID, a.formatTime(c.CreatedAt), c.Provider, c.Model, confidence, formatOptionalInt(c.TokensUsed),
			formatMilliseconds(c.AnalysisDurationMS),
		}
	}
	return rows
}

func workflowColumns() []console.Column {
	return []console.Column{
		{Title: "KIND"}, {Title: "WORKFLOW"}, {Title: "STARTED (UTC)"}, {Title: "ENDED (UTC)"}, {Title: "PHASE"}, {Title: "STEPS"},
	}
}

func (a *app) workflowRows(workflows []client.Workflow) [][]string {
	rows := make([][]string, len(workflows))
	for i, c := range workflows {
		steps := fmt.Sprintf("%d of %d", c.CompletedSteps, c.TotalSteps)
		rows[i] = []string{"workflow", c.WorkflowID, a.formatTime(c.StartTime), a.formatOptionalTime(c.EndTime), string(c.Phase), steps}
	}
	return rows
}

func executionColumns() []console.Column {
	return []console.Column{
		{Title: "KIND"},
		{Title: "EXECUTION"},
		{Title: "STARTED (UTC)"},
		{Title: "WORKFLOW"},
		{Title: "ACTION"},
		{Title: "TARGET"},
		{Title: "STATUS"},
		{Title: "TOOK"},
		{Title: "ERROR", Most: 60},
	}
}

func (a *app) executionRows(executions []client.Execution) [][]string {
	rows := make([][]string, len(executions))
	for i, c := range executions {
		status := client.StatusFailure
		if c.Success {
			status = client.StatusSuccess
		}
		rows[i] = []string{
			"execution", c.ExecutionID, a.formatTime(c.StartTime), c.WorkflowID, c.ActionType, c.TargetResource, string(status),
			formatMilliseconds(c.ExecutionTimeMS), stringOrEmpty(c.ErrorMessage),
		}
	}
	return rows
}
