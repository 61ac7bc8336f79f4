package client

import "context"

// CreateAIAnalysis records an AI analysis of a remediation. ErrNotFound means that there is no such
// remediation.
func (c *Client) CreateAIAnalysis(ctx context.Context, remediationID string, record AIAnalysisInput) (*Written, error) {
	return c.sendRecord(ctx, createAIAnalysisCall(remediationID, record))
}

// CreateWorkflow records a workflow of a remediation. ErrNotFound means that there is no such
// remediation.
func (c *Client) CreateWorkflow(ctx context.Context, remediationID string, record WorkflowInput) (*Written, error) {
	return c.sendRecord(ctx, createWorkflowCall(remediationID, record))
}

// CreateExecution records an execution of a remediation. ErrNotFound means that there is no such
// remediation.
func (c *Client) CreateExecution(ctx context.Context, remediationID string, record ExecutionInput) (*Written, error) {
	return c.sendRecord(ctx, createExecutionCall(remediationID, record))
}
