package api

import (
	"encoding/hex"
	"net/http"
	"net/url"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// RespondCreated answers a record that was sent by itself: 201, or 200 with the body of the first answer for a replay.
func RespondCreated(remediationID string, w audit.Written) (*Response, error) {
	if w.Err != nil {
		return nil, w.Err
	}
	answer := NewAnswer(createdStatus(w), client.Receipt{
		ID:            w.ID,
		RemediationID: remediationID,
		CreatedAt:     w.Receipt.RecordedAt.UTC(),
		Embedding:     client.EmbeddingState(w.Receipt.Embedding),
		EventID:       w.Receipt.EventID.String(),
		LeafHash:      hex.EncodeToString(w.Receipt.LeafHash[:]),
	})
	answer.header("Location", "/v1/remediations/"+url.PathEscape(remediationID))
	return replay(answer, w.Replayed), nil
}

func createdStatus(w audit.Written) int {
	if w.Replayed {
		return http.StatusOK
	}
	return http.StatusCreated
}

func replay(answer *Response, replayed bool) *Response {
	if replayed {
		answer.header("Idempotency-Replayed", "true")
	}
	return answer
}

// RespondBatch answers a batch: one result for each record, in their order.
func (r *Request) RespondBatch(batch []Batched, written []audit.Written) *Response {
	results := make([]client.BatchResult, len(written))
	for i, w := range written {
		results[i] = client.BatchResult{Index: i, Status: createdStatus(w)}
		if batch[i].Remediation != nil {
			results[i].RemediationID = batch[i].Remediation.RemediationID
		}
		if w.Err != nil {
			results[i].Problem = problemOf(r, w.Err)
			results[i].Status = results[i].Problem.Status
			continue
		}
		results[i].ID = w.ID
		results[i].EventID = w.Receipt.EventID.String()
		results[i].LeafHash = hex.EncodeToString(w.Receipt.LeafHash[:])
		results[i].Embedding = client.EmbeddingState(w.Receipt.Embedding)
	}
	return NewAnswer(http.StatusOK, client.BatchResults{Results: results})
}

// RespondUpdated answers an update with the remediation as it is now.
func RespondUpdated(remediation audit.Stored, replayed bool) *Response {
	return replay(NewAnswer(http.StatusOK, wireRemediation(remediation)), replayed)
}

// RespondDetail answers a remediation with its children.
func RespondDetail(remediation audit.Stored, children audit.Children) *Response {
	body := client.RemediationChildren{
		AIAnalyses: mapped(children.AIAnalyses, wireAIAnalysis),
		Workflows:  mapped(children.Workflows, wireWorkflow),
		Executions: mapped(children.Executions, wireExecution),
	}
	plural := map[audit.Kind]client.ChildKind{
		audit.KindAIAnalysis: "ai_analyses", audit.KindWorkflow: "workflows", audit.KindExecution: "executions",
	}
	for _, kind := range children.Truncated {
		body.Truncated = append(body.Truncated, plural[kind])
	}
	return NewAnswer(http.StatusOK, client.RemediationDetail{
		Remediation: wireRemediation(remediation), RemediationChildren: body,
	})
}
