package api

import (
	"fmt"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
)

// MaxBatch is the largest number of records in a batch.
const MaxBatch = 500

// DecodeRemediation reads, checks and redacts the body as a remediation.
func (r *Request) DecodeRemediation() (*audit.Remediation, error) {
	f, err := r.readBody()
	if err != nil {
		return nil, err
	}
	record, err := readRemediation(f, r.actions)
	r.setRemediationID(record.RemediationID)
	return record, err
}

// BatchItem is one record of a batch: a remediation, or the error of an invalid one.
type BatchItem struct {
	Remediation *audit.Remediation
	Err         error
}

// DecodeBatch reads the body as a batch of remediations. An error concerns the batch as a whole.
func (r *Request) DecodeBatch() ([]BatchItem, error) {
	f, err := r.readBody()
	if err != nil {
		return nil, err
	}
	list := valueOrZero(typedValue[[]any](f, "records", f.readRequired("records"), "an array of remediations"))
	f.reportUnread()
	if list != nil && (len(list) == 0 || len(list) > MaxBatch) {
		f.addError("records", audit.CodeSize, fmt.Sprintf("must have 1 to %d remediations", MaxBatch))
	}
	if err := f.errs.Err(); err != nil {
		return nil, err
	}
	batch := make([]BatchItem, len(list))
	for i, item := range list {
		f := newFieldReader(item, fmt.Sprintf("records[%d].", i), new(audit.ValidationErrors))
		batch[i].Remediation, batch[i].Err = readRemediation(f, r.actions)
	}
	return batch, nil
}

func readRemediation(f *fieldReader, actions redact.Actions) (*audit.Remediation, error) {
	record := &audit.Remediation{
		RemediationID:    f.readString("remediation_id"),
		Name:             f.readString("name"),
		Namespace:        f.readString("namespace"),
		ClusterName:      f.readOptionalString("cluster_name"),
		Environment:      (*audit.Environment)(f.readOptionalString("environment")),
		AlertFingerprint: f.readOptionalString("alert_fingerprint"),
		ActionType:       f.readString("action_type"),
		TargetResource:   f.readOptionalString("target_resource"),
		Phase:            audit.Phase(f.readString("phase")),
		Status:           audit.Status(f.readString("status")),
		StartTime:        f.readTime("start_time"),
		EndTime:          f.readOptionalTime("end_time"),
		DurationMS:       f.readOptionalInteger("duration_ms"),
		ErrorMessage:     f.readOptionalString("error_message"),
		WorkflowYAML:     f.readOptionalString("workflow_yaml"),
	}
	record.Severity = readSeverity(f)
	return record, checkRecord(f, record, actions)
}

// readSeverity returns an empty severity if it is absent; audit sets its default.
func readSeverity(f *fieldReader) audit.Severity {
	severity := f.readOptionalString("severity")
	if severity != nil && *severity == "" {
		f.addError("severity", audit.CodeEmpty, "must not be empty")
	}
	return audit.Severity(valueOrZero(severity))
}

// DecodeUpdate reads, checks and redacts the body as an update of the remediation in the path.
func (r *Request) DecodeUpdate() (*audit.Update, error) {
	f, err := r.readBody()
	if err != nil {
		return nil, err
	}
	return readUpdate(f, r.pathRemediationID(), r.actions)
}

func readUpdate(f *fieldReader, remediationID string, actions redact.Actions) (*audit.Update, error) {
	update := &audit.Update{
		RemediationID: remediationID,
		Phase:         (*audit.Phase)(f.readNonNullString("phase")),
		Status:        (*audit.Status)(f.readNonNullString("status")),
		EndTime:       audit.Optional[time.Time]{Set: f.hasMember("end_time"), Value: f.readOptionalTime("end_time")},
		ErrorMessage:  audit.Optional[string]{Set: f.hasMember("error_message"), Value: f.readOptionalString("error_message")},
		WorkflowYAML:  audit.Optional[string]{Set: f.hasMember("workflow_yaml"), Value: f.readOptionalString("workflow_yaml")},
	}
	metadata := f.readOptionalObject("metadata")
	if f.hasMember("metadata") && f.members["metadata"] == nil {
		metadata = map[string]any{}
	}
	f.reportUnread()
	if f.members != nil {
		update.Check(audit.Checker{Path: f.path, Errors: f.errs, Actions: actions}, metadata)
	}
	return update, f.errs.Err()
}

// readNonNullString returns a string, or nil if it is absent. null is an error.
func (f *fieldReader) readNonNullString(name string) *string {
	if f.hasMember(name) && f.members[name] == nil {
		f.addError(name, audit.CodeType, "must be a string")
	}
	return f.readOptionalString(name)
}

// DecodeAIAnalysis reads, checks and redacts the body as an AI analysis of the remediation in the path.
func (r *Request) DecodeAIAnalysis() (*audit.AIAnalysis, error) {
	f, err := r.readBody()
	if err != nil {
		return nil, err
	}
	return readAIAnalysis(f, r.pathRemediationID(), r.actions)
}

func readAIAnalysis(f *fieldReader, remediationID string, actions redact.Actions) (*audit.AIAnalysis, error) {
	record := &audit.AIAnalysis{
		RemediationID:      remediationID,
		AnalysisID:         f.readString("analysis_id"),
		Provider:           f.readString("provider"),
		Model:              f.readString("model"),
		ConfidenceScore:    f.readOptionalNumber("confidence_score"),
		TokensUsed:         f.readOptionalInteger("tokens_used"),
		AnalysisDurationMS: f.readOptionalInteger("analysis_duration_ms"),
	}
	return record, checkRecord(f, record, actions)
}

// DecodeWorkflow reads, checks and redacts the body as a workflow of the remediation in the path.
func (r *Request) DecodeWorkflow() (*audit.Workflow, error) {
	f, err := r.readBody()
	if err != nil {
		return nil, err
	}
	return readWorkflow(f, r.pathRemediationID(), r.actions)
}

func readWorkflow(f *fieldReader, remediationID string, actions redact.Actions) (*audit.Workflow, error) {
	record := &audit.Workflow{
		RemediationID:  remediationID,
		WorkflowID:     f.readString("workflow_id"),
		Phase:          audit.WorkflowPhase(f.readString("phase")),
		TotalSteps:     f.readInteger("total_steps"),
		CompletedSteps: f.readInteger("completed_steps"),
		StartTime:      f.readTime("start_time"),
		EndTime:        f.readOptionalTime("end_time"),
	}
	return record, checkRecord(f, record, actions)
}

// DecodeExecution reads, checks and redacts the body as an execution of the remediation in the path.
func (r *Request) DecodeExecution() (*audit.Execution, error) {
	f, err := r.readBody()
	if err != nil {
		return nil, err
	}
	return readExecution(f, r.pathRemediationID(), r.actions)
}

func readExecution(f *fieldReader, remediationID string, actions redact.Actions) (*audit.Execution, error) {
	record := &audit.Execution{
		RemediationID:   remediationID,
		WorkflowID:      f.readString("workflow_id"),
		ExecutionID:     f.readString("execution_id"),
		ActionType:      f.readString("action_type"),
		TargetResource:  f.readOptionalString("target_resource"),
		ClusterName:     f.readOptionalString("cluster_name"),
		Success:         f.readBoolean("success"),
		StartTime:       f.readTime("start_time"),
		EndTime:         f.readOptionalTime("end_time"),
		ExecutionTimeMS: f.readOptionalInteger("execution_time_ms"),
		ErrorMessage:    f.readOptionalString("error_message"),
	}
	return record, checkRecord(f, record, actions)
}

// checkRecord reads the metadata, checks and redacts the record, and reports unread fields.
func checkRecord(f *fieldReader, record interface {
	Check(c audit.Checker, tree map[string]any)
}, actions redact.Actions,
) error {
	metadata := f.readOptionalObject("metadata")
	if f.members != nil {
		record.Check(audit.Checker{Path: f.path, Errors: f.errs, Actions: actions}, metadata)
	}
	f.reportUnread()
	return f.errs.Err()
}
