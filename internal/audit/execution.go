package audit

import "time"

// Execution is one action carried out by a workflow.
type Execution struct {
	RemediationID   string
	WorkflowID      string
	ExecutionID     string
	ActionType      string
	TargetResource  *string // kind/name
	ClusterName     *string
	Success         bool
	StartTime       time.Time
	EndTime         *time.Time
	ExecutionTimeMS *int64
	ErrorMessage    *string
	Metadata        Metadata
}

// StoredExecution is an execution read from the store.
type StoredExecution struct {
	Execution
	Actor     string
	CreatedAt time.Time
}

// Check validates and sanitizes the record. metadata is the parsed metadata object, nil if absent.
func (e *Execution) Check(c Checker, metadata map[string]any) {
	c.CheckRemediationID("remediation_id", e.RemediationID)
	c.CheckIdentifier("workflow_id", e.WorkflowID, MaxIdentifier)
	c.CheckIdentifier("execution_id", e.ExecutionID, MaxIdentifier)
	c.CheckIdentifier("action_type", e.ActionType, MaxActionType)
	c.checkOptionalIdentifier("target_resource", e.TargetResource, MaxTarget)
	c.checkOptionalIdentifier("cluster_name", e.ClusterName, MaxIdentifier)
	e.StartTime = c.checkTime("start_time", e.StartTime)
	e.EndTime = c.checkEndTime(e.StartTime, e.EndTime)
	c.checkCount("execution_time_ms", e.ExecutionTimeMS, MaxInteger)
	e.ErrorMessage = c.sanitizeText("error_message", e.ErrorMessage, maxErrorMessage)
	e.Metadata = c.sanitizeMetadata(metadata)
}

func (e *Execution) entryKind() Kind { return KindExecution }

func (e *Execution) remediationID() string { return e.RemediationID }

func (e *Execution) metadataText() Metadata { return e.Metadata }

func (e *Execution) writeFields(d *document) {
	d.writeString("action_type", e.ActionType)
	d.writeOptional("cluster_name", e.ClusterName)
	d.writeTime("end_time", e.EndTime)
	d.writeOptional("error_message", e.ErrorMessage)
	d.writeString("execution_id", e.ExecutionID)
	d.writeInteger("execution_time_ms", e.ExecutionTimeMS)
	d.writeMetadata(e.metadataText())
	d.writeTime("start_time", &e.StartTime)
	d.writeBoolean("success", e.Success)
	d.writeOptional("target_resource", e.TargetResource)
	d.writeString("workflow_id", e.WorkflowID)
}
