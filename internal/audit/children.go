package audit

// Children are the records of a remediation, oldest first.
type Children struct {
	AIAnalyses []StoredAIAnalysis
	Workflows  []StoredWorkflow
	Executions []StoredExecution
	// Truncated lists the kinds that have more records than are returned.
	Truncated []Kind
}
