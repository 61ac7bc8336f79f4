package audit

import "time"

// Execution is one action that a workflow carried out.
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

// StoredExecution is an execution as the service keeps it.
type StoredExecution struct {
	Execution
	Actor     string
	CreatedAt time.Time
}

// Check finds every fault of the record and sanitises it. tree is the metadata object as parsed, nil when absent.
func (e *Execution) Check(c Checker, tree map[string]any) {
	c.RemediationID(e.RemediationID)
	c.identifier("workflow_id", e.WorkflowID, MaxIdentifier)
	c.identifier("execution_id", e.ExecutionID, MaxIdentifier)
	c.identifier("action_type", e.ActionType, MaxActionType)
	c.optionalIdentifier("target_resource", e.TargetResource, MaxTarget)
	c.optionalIdentifier("cluster_name", e.ClusterName, MaxIdentifier)
	e.StartTime = c.time("start_time", e.StartTime)
	e.EndTime = c.span(e.StartTime, e.EndTime)
	c.count("execution_time_ms", e.ExecutionTimeMS, MaxInteger)
	e.ErrorMessage = c.text("error_message", e.ErrorMessage, MaxErrorMessage)
	e.Metadata = c.metadata(tree)
}

func (e *Execution) kind() Kind { return KindExecution }

func (e *Execution) key() string { return e.RemediationID }

func (e *Execution) metadata() Metadata { return e.Metadata }

func (e *Execution) document(d *document) {
	d.text("action_type", e.ActionType)
	d.optional("cluster_name", e.ClusterName)
	d.time("end_time", e.EndTime)
	d.optional("error_message", e.ErrorMessage)
	d.text("execution_id", e.ExecutionID)
	d.integer("execution_time_ms", e.ExecutionTimeMS)
	d.metadata(e.metadata())
	d.time("start_time", &e.StartTime)
	d.boolean("success", e.Success)
	d.optional("target_resource", e.TargetResource)
	d.text("workflow_id", e.WorkflowID)
}
