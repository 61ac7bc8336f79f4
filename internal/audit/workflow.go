package audit

import (
	"math"
	"time"
)

// WorkflowPhase is the progress of a workflow.
type WorkflowPhase string

func workflowPhases() []WorkflowPhase {
	return []WorkflowPhase{"planning", "executing", "completed", "failed"}
}

// Workflow is the plan that a remediation follows.
type Workflow struct {
	RemediationID  string
	WorkflowID     string
	Phase          WorkflowPhase
	TotalSteps     int64
	CompletedSteps int64 // at most TotalSteps
	StartTime      time.Time
	EndTime        *time.Time
	Metadata       Metadata
}

// StoredWorkflow is a workflow read from the store.
type StoredWorkflow struct {
	Workflow
	Actor     string
	CreatedAt time.Time
}

// Check validates and sanitizes the record. metadata is the parsed metadata object, nil if absent.
func (w *Workflow) Check(c Checker, metadata map[string]any) {
	c.CheckRemediationID("remediation_id", w.RemediationID)
	c.CheckIdentifier("workflow_id", w.WorkflowID, MaxIdentifier)
	checkOneOf(c, "phase", w.Phase, workflowPhases())
	c.checkCount("total_steps", &w.TotalSteps, math.MaxInt32)
	c.checkCount("completed_steps", &w.CompletedSteps, math.MaxInt32)
	if !c.hasError("total_steps") && !c.hasError("completed_steps") && w.CompletedSteps > w.TotalSteps {
		c.addError("completed_steps", CodeOrder, "must not exceed total_steps")
	}
	w.StartTime = c.checkTime("start_time", w.StartTime)
	w.EndTime = c.checkEndTime(w.StartTime, w.EndTime)
	w.Metadata = c.sanitizeMetadata(metadata)
}

func (w *Workflow) entryKind() Kind { return KindWorkflow }

func (w *Workflow) remediationID() string { return w.RemediationID }

func (w *Workflow) metadataText() Metadata { return w.Metadata }

func (w *Workflow) writeFields(d *document) {
	d.writeInteger("completed_steps", &w.CompletedSteps)
	d.writeTime("end_time", w.EndTime)
	d.writeMetadata(w.metadataText())
	d.writeString("phase", string(w.Phase))
	d.writeTime("start_time", &w.StartTime)
	d.writeInteger("total_steps", &w.TotalSteps)
	d.writeString("workflow_id", w.WorkflowID)
}
