package audit

import (
	"math"
	"time"
)

// WorkflowPhase is how far a workflow has come.
type WorkflowPhase string

// WorkflowPhases lists the valid phases of a workflow.
func WorkflowPhases() []WorkflowPhase {
	return []WorkflowPhase{"planning", "executing", "completed", "failed"}
}

// Workflow is the plan that a remediation followed.
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

// StoredWorkflow is a workflow as the service keeps it.
type StoredWorkflow struct {
	Workflow
	Actor     string
	CreatedAt time.Time
}

// Check finds every fault of the record and sanitises it. tree is the metadata object as parsed, nil when absent.
func (w *Workflow) Check(c Checker, tree map[string]any) {
	c.RemediationID(w.RemediationID)
	c.identifier("workflow_id", w.WorkflowID, MaxIdentifier)
	oneOf(c, "phase", w.Phase, WorkflowPhases())
	c.count("total_steps", &w.TotalSteps, math.MaxInt32)
	c.count("completed_steps", &w.CompletedSteps, math.MaxInt32)
	if !c.faulty("total_steps") && !c.faulty("completed_steps") && w.CompletedSteps > w.TotalSteps {
		c.fault("completed_steps", CodeOrder, "must not be more than total_steps")
	}
	w.StartTime = c.time("start_time", w.StartTime)
	w.EndTime = c.span(w.StartTime, w.EndTime)
	w.Metadata = c.metadata(tree)
}

func (w *Workflow) kind() Kind { return KindWorkflow }

func (w *Workflow) key() string { return w.RemediationID }

func (w *Workflow) metadata() Metadata { return w.Metadata }

func (w *Workflow) document(d *document) {
	d.integer("completed_steps", &w.CompletedSteps)
	d.time("end_time", w.EndTime)
	d.metadata(w.metadata())
	d.text("phase", string(w.Phase))
	d.time("start_time", &w.StartTime)
	d.integer("total_steps", &w.TotalSteps)
	d.text("workflow_id", w.WorkflowID)
}
