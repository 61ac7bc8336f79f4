package api

import (
	"encoding/hex"
	"encoding/json"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

func convertSlice[T, W any](list []T, wire func(T) W) []W {
	out := make([]W, len(list))
	for i, item := range list {
		out[i] = wire(item)
	}
	return out
}

func wireMetadata(m audit.Metadata) client.Metadata {
	if m == "" {
		m = audit.EmptyMetadata
	}
	return json.RawMessage(m)
}

func wireRemediation(s audit.Stored) client.Remediation {
	return client.Remediation{
		ID:               s.ID,
		RemediationID:    s.RemediationID,
		Name:             s.Name,
		Namespace:        s.Namespace,
		ClusterName:      valueOrZero(s.ClusterName),
		Environment:      client.Environment(valueOrZero(s.Environment)),
		Severity:         client.Severity(s.Severity),
		AlertFingerprint: valueOrZero(s.AlertFingerprint),
		ActionType:       s.ActionType,
		TargetResource:   valueOrZero(s.TargetResource),
		Phase:            client.Phase(s.Phase),
		Status:           client.Status(s.Status),
		StartTime:        s.StartTime,
		EndTime:          s.EndTime,
		DurationMS:       s.DurationMS,
		ErrorMessage:     s.ErrorMessage,
		WorkflowYAML:     s.WorkflowYAML,
		Metadata:         wireMetadata(s.Metadata),
		SignatureID:      s.SignatureID.String(),
		Actor:            s.Actor,
		CreatedAt:        s.CreatedAt,
		UpdatedAt:        s.UpdatedAt,
	}
}

func wireSummary(s audit.Stored) client.RemediationSummary {
	return client.RemediationSummary{
		ID:             s.ID,
		RemediationID:  s.RemediationID,
		Name:           s.Name,
		Namespace:      s.Namespace,
		ClusterName:    valueOrZero(s.ClusterName),
		Environment:    client.Environment(valueOrZero(s.Environment)),
		Severity:       client.Severity(s.Severity),
		ActionType:     s.ActionType,
		TargetResource: valueOrZero(s.TargetResource),
		Phase:          client.Phase(s.Phase),
		Status:         client.Status(s.Status),
		StartTime:      s.StartTime,
		EndTime:        s.EndTime,
		DurationMS:     s.DurationMS,
	}
}

func wireAIAnalysis(a audit.StoredAIAnalysis) client.AIAnalysis {
	return client.AIAnalysis{
		AnalysisID:         a.AnalysisID,
		Provider:           a.Provider,
		Model:              a.Model,
		ConfidenceScore:    a.ConfidenceScore,
		TokensUsed:         a.TokensUsed,
		AnalysisDurationMS: a.AnalysisDurationMS,
		Metadata:           wireMetadata(a.Metadata),
		Actor:              a.Actor,
		CreatedAt:          a.CreatedAt,
	}
}

func wireWorkflow(w audit.StoredWorkflow) client.Workflow {
	return client.Workflow{
		WorkflowID:     w.WorkflowID,
		Phase:          client.WorkflowPhase(w.Phase),
		TotalSteps:     int32(w.TotalSteps),
		CompletedSteps: int32(w.CompletedSteps),
		StartTime:      w.StartTime,
		EndTime:        w.EndTime,
		Metadata:       wireMetadata(w.Metadata),
		Actor:          w.Actor,
		CreatedAt:      w.CreatedAt,
	}
}

func wireExecution(e audit.StoredExecution) client.Execution {
	return client.Execution{
		WorkflowID:      e.WorkflowID,
		ExecutionID:     e.ExecutionID,
		ActionType:      e.ActionType,
		TargetResource:  valueOrZero(e.TargetResource),
		ClusterName:     valueOrZero(e.ClusterName),
		Success:         e.Success,
		StartTime:       e.StartTime,
		EndTime:         e.EndTime,
		ExecutionTimeMS: e.ExecutionTimeMS,
		ErrorMessage:    e.ErrorMessage,
		Metadata:        wireMetadata(e.Metadata),
		Actor:           e.Actor,
		CreatedAt:       e.CreatedAt,
	}
}

// historyEntry is an entry whose time is spelled as in its canonical form.
type historyEntry struct {
	client.HistoryEntry
	RecordedAt string `json:"recorded_at"`
}

func wireHistoryEntry(e audit.HistoryEntry) historyEntry {
	return historyEntry{RecordedAt: audit.FormatTime(e.RecordedAt), HistoryEntry: client.HistoryEntry{
		EventID:   e.EventID.String(),
		Kind:      client.EntryKind(e.Kind),
		Actor:     e.Actor,
		LeafHash:  hex.EncodeToString(e.LeafHash[:]),
		Canonical: e.Canonical,
	}}
}

func wireIncidentEvent(e audit.IncidentEvent) client.IncidentEvent {
	return client.IncidentEvent{
		ID:             e.ID,
		RemediationID:  e.RemediationID,
		AlertName:      e.AlertName,
		Namespace:      e.Namespace,
		PodName:        valueOrZero(e.PodName),
		WorkflowStatus: client.Status(e.WorkflowStatus),
		WorkflowYAML:   e.WorkflowYAML,
		ErrorMessage:   e.ErrorMessage,
		CreatedAt:      e.CreatedAt,
		UpdatedAt:      e.UpdatedAt,

		EmbeddingVector: e.Embedding,
	}
}

func wireRate(o audit.Outcome) client.Rate {
	wire := client.Rate{Success: o.Success, Failure: o.Failure}
	if rate, low, high, ok := o.Rate(); ok {
		wire.Rate, wire.Low, wire.High = &rate, &low, &high
	}
	return wire
}
