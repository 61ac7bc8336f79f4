package postgres

import (
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

func storedRemediation(row dbsqlc.RemediationAudit) audit.Stored {
	return audit.Stored{
		Remediation: audit.Remediation{
			RemediationID:    row.RemediationID,
			Name:             row.Name,
			Namespace:        row.Namespace,
			ClusterName:      row.ClusterName,
			Environment:      (*audit.Environment)(row.Environment),
			Severity:         audit.Severity(row.Severity),
			AlertFingerprint: row.AlertFingerprint,
			ActionType:       row.ActionType,
			TargetResource:   row.TargetResource,
			Phase:            audit.Phase(row.Phase),
			Status:           audit.Status(row.Status),
			StartTime:        row.StartTime.UTC(),
			EndTime:          utcTime(row.EndTime),
			DurationMS:       row.DurationMs,
			ErrorMessage:     row.ErrorMessage,
			WorkflowYAML:     row.WorkflowYaml,
			Metadata:         audit.Metadata(row.Metadata),
		},
		ID:          row.ID,
		SignatureID: row.SignatureID,
		Actor:       row.Actor,
		CreatedAt:   row.CreatedAt.UTC(),
		UpdatedAt:   row.UpdatedAt.UTC(),
	}
}

func storedAIAnalysis(row dbsqlc.AIAnalysisListRow) audit.StoredAIAnalysis {
	return audit.StoredAIAnalysis{
		AIAnalysis: audit.AIAnalysis{
			RemediationID:      row.RemediationID,
			AnalysisID:         row.AnalysisID,
			Provider:           row.Provider,
			Model:              row.Model,
			ConfidenceScore:    row.ConfidenceScore,
			TokensUsed:         row.TokensUsed,
			AnalysisDurationMS: row.AnalysisDurationMs,
			Metadata:           audit.Metadata(row.Metadata),
		},
		Actor:     row.Actor,
		CreatedAt: row.CreatedAt.UTC(),
	}
}

func storedWorkflow(row dbsqlc.WorkflowListRow) audit.StoredWorkflow {
	return audit.StoredWorkflow{
		Workflow: audit.Workflow{
			RemediationID:  row.RemediationID,
			WorkflowID:     row.WorkflowID,
			Phase:          audit.WorkflowPhase(row.Phase),
			TotalSteps:     int64(row.TotalSteps),
			CompletedSteps: int64(row.CompletedSteps),
			StartTime:      row.StartTime.UTC(),
			EndTime:        utcTime(row.EndTime),
			Metadata:       audit.Metadata(row.Metadata),
		},
		Actor:     row.Actor,
		CreatedAt: row.CreatedAt.UTC(),
	}
}

func storedExecution(row dbsqlc.ExecutionListRow) audit.StoredExecution {
	return audit.StoredExecution{
		Execution: audit.Execution{
			RemediationID:   row.RemediationID,
			WorkflowID:      row.WorkflowID,
			ExecutionID:     row.ExecutionID,
			ActionType:      row.ActionType,
			TargetResource:  row.TargetResource,
			ClusterName:     row.ClusterName,
			Success:         row.Success,
			StartTime:       row.StartTime.UTC(),
			EndTime:         utcTime(row.EndTime),
			ExecutionTimeMS: row.ExecutionTimeMs,
			ErrorMessage:    row.ErrorMessage,
			Metadata:        audit.Metadata(row.Metadata),
		},
		Actor:     row.Actor,
		CreatedAt: row.CreatedAt.UTC(),
	}
}

func historyEntry(row dbsqlc.AuditEventHistoryRow) audit.HistoryEntry {
	return audit.HistoryEntry{
		Kind:       audit.Kind(row.Kind),
		Actor:      row.Actor,
		EventID:    row.EventID,
		RecordedAt: row.RecordedAt.UTC(),
		LeafHash:   [32]byte(row.LeafHash),
		Canonical:  row.Canonical,
	}
}

func incidentEvent(row dbsqlc.IncidentEventListRow) audit.IncidentEvent {
	event := audit.IncidentEvent{
		ID:             row.ID,
		RemediationID:  row.RemediationID,
		AlertName:      row.AlertName,
		Namespace:      row.Namespace,
		WorkflowStatus: audit.Status(row.WorkflowStatus),
		WorkflowYAML:   row.WorkflowYaml,
		ErrorMessage:   row.ErrorMessage,
		CreatedAt:      row.CreatedAt.UTC(),
		UpdatedAt:      row.UpdatedAt.UTC(),
		Embedding:      row.EmbeddingVector,
	}
	if row.PodName != "" {
		event.PodName = &row.PodName
	}
	return event
}

func utcTime(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
