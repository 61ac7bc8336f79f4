package api

import (
	"fmt"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
)

// MaxBatch is how many records a batch may hold.
const MaxBatch = 500

// Remediation reads the body as a remediation, checked and sanitised.
func (r *Request) Remediation() (*audit.Remediation, error) {
	f, err := r.fields()
	if err != nil {
		return nil, err
	}
	record, err := readRemediation(f, r.actions)
	r.about(record.RemediationID)
	return record, err
}

// Batched is one record of a batch: the remediation, or why it cannot be one.
type Batched struct {
	Remediation *audit.Remediation
	Err         error
}

// Batch reads the body as a batch of remediations. The error is about the batch as a whole.
func (r *Request) Batch() ([]Batched, error) {
	f, err := r.fields()
	if err != nil {
		return nil, err
	}
	list := orZero(as[[]any](f, "records", f.required("records"), "an array of remediations"))
	f.finish()
	if list != nil && (len(list) == 0 || len(list) > MaxBatch) {
		f.fault("records", audit.CodeSize, fmt.Sprintf("must hold 1 to %d remediations", MaxBatch))
	}
	if err := f.faults.Err(); err != nil {
		return nil, err
	}
	batch := make([]Batched, len(list))
	for i, item := range list {
		f := newFields(item, fmt.Sprintf("records[%d].", i), new(audit.ValidationErrors))
		batch[i].Remediation, batch[i].Err = readRemediation(f, r.actions)
	}
	return batch, nil
}

func readRemediation(f *fields, actions redact.Actions) (*audit.Remediation, error) {
	record := &audit.Remediation{
		RemediationID:    f.text("remediation_id"),
		Name:             f.text("name"),
		Namespace:        f.text("namespace"),
		ClusterName:      f.optionalText("cluster_name"),
		Environment:      (*audit.Environment)(f.optionalText("environment")),
		AlertFingerprint: f.optionalText("alert_fingerprint"),
		ActionType:       f.text("action_type"),
		TargetResource:   f.optionalText("target_resource"),
		Phase:            audit.Phase(f.text("phase")),
		Status:           audit.Status(f.text("status")),
		StartTime:        f.time("start_time"),
		EndTime:          f.optionalTime("end_time"),
		DurationMS:       f.optionalInteger("duration_ms"),
		ErrorMessage:     f.optionalText("error_message"),
		WorkflowYAML:     f.optionalText("workflow_yaml"),
	}
	record.Severity = readSeverity(f)
	return record, check(f, record, actions)
}

// readSeverity leaves an absent severity to the domain; an empty one is not absent.
func readSeverity(f *fields) audit.Severity {
	severity := f.optionalText("severity")
	if severity != nil && *severity == "" {
		f.fault("severity", audit.CodeEmpty, "must not be empty")
	}
	return audit.Severity(orZero(severity))
}

// Update reads the body as an update of the path's remediation.
func (r *Request) Update() (*audit.Update, error) {
	f, err := r.fields()
	if err != nil {
		return nil, err
	}
	return readUpdate(f, r.remediation(), r.actions)
}

func readUpdate(f *fields, remediationID string, actions redact.Actions) (*audit.Update, error) {
	update := &audit.Update{
		RemediationID: remediationID,
		Phase:         (*audit.Phase)(f.unclearable("phase")),
		Status:        (*audit.Status)(f.unclearable("status")),
		EndTime:       audit.Optional[time.Time]{Set: f.has("end_time"), Value: f.optionalTime("end_time")},
		ErrorMessage:  audit.Optional[string]{Set: f.has("error_message"), Value: f.optionalText("error_message")},
		WorkflowYAML:  audit.Optional[string]{Set: f.has("workflow_yaml"), Value: f.optionalText("workflow_yaml")},
	}
	metadata := f.object("metadata")
	if f.has("metadata") && f.members["metadata"] == nil {
		f.fault("metadata", audit.CodeType, "must be an object")
	}
	f.finish()
	if f.members != nil {
		update.Check(audit.Checker{Path: f.path, Errors: f.faults, Actions: actions}, metadata)
	}
	return update, f.faults.Err()
}

// unclearable reads a text that may be left out but not null.
func (f *fields) unclearable(name string) *string {
	if f.has(name) && f.members[name] == nil {
		f.fault(name, audit.CodeType, "must be a text")
	}
	return f.optionalText(name)
}

// AIAnalysis reads the body as an AI analysis of the path's remediation.
func (r *Request) AIAnalysis() (*audit.AIAnalysis, error) {
	f, err := r.fields()
	if err != nil {
		return nil, err
	}
	return readAIAnalysis(f, r.remediation(), r.actions)
}

func readAIAnalysis(f *fields, remediationID string, actions redact.Actions) (*audit.AIAnalysis, error) {
	record := &audit.AIAnalysis{
		RemediationID:      remediationID,
		AnalysisID:         f.text("analysis_id"),
		Provider:           f.text("provider"),
		Model:              f.text("model"),
		ConfidenceScore:    f.optionalNumber("confidence_score"),
		TokensUsed:         f.optionalInteger("tokens_used"),
		AnalysisDurationMS: f.optionalInteger("analysis_duration_ms"),
	}
	return record, check(f, record, actions)
}

// Workflow reads the body as a workflow of the path's remediation.
func (r *Request) Workflow() (*audit.Workflow, error) {
	f, err := r.fields()
	if err != nil {
		return nil, err
	}
	return readWorkflow(f, r.remediation(), r.actions)
}

func readWorkflow(f *fields, remediationID string, actions redact.Actions) (*audit.Workflow, error) {
	record := &audit.Workflow{
		RemediationID:  remediationID,
		WorkflowID:     f.text("workflow_id"),
		Phase:          audit.WorkflowPhase(f.text("phase")),
		TotalSteps:     f.integer("total_steps"),
		CompletedSteps: f.integer("completed_steps"),
		StartTime:      f.time("start_time"),
		EndTime:        f.optionalTime("end_time"),
	}
	return record, check(f, record, actions)
}

// Execution reads the body as an execution of the path's remediation.
func (r *Request) Execution() (*audit.Execution, error) {
	f, err := r.fields()
	if err != nil {
		return nil, err
	}
	return readExecution(f, r.remediation(), r.actions)
}

func readExecution(f *fields, remediationID string, actions redact.Actions) (*audit.Execution, error) {
	record := &audit.Execution{
		RemediationID:   remediationID,
		WorkflowID:      f.text("workflow_id"),
		ExecutionID:     f.text("execution_id"),
		ActionType:      f.text("action_type"),
		TargetResource:  f.optionalText("target_resource"),
		ClusterName:     f.optionalText("cluster_name"),
		Success:         f.boolean("success"),
		StartTime:       f.time("start_time"),
		EndTime:         f.optionalTime("end_time"),
		ExecutionTimeMS: f.optionalInteger("execution_time_ms"),
		ErrorMessage:    f.optionalText("error_message"),
	}
	return record, check(f, record, actions)
}

// check finishes reading a record: its metadata, the domain's rules, and what nobody asked for.
func check(f *fields, record interface {
	Check(c audit.Checker, tree map[string]any)
}, actions redact.Actions,
) error {
	metadata := f.object("metadata")
	if f.members != nil {
		record.Check(audit.Checker{Path: f.path, Errors: f.faults, Actions: actions}, metadata)
	}
	f.finish()
	return f.faults.Err()
}
