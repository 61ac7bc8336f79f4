package api

import (
	"encoding/hex"
	"net/http"
	"net/url"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// RespondCreated returns 201 for a new record. For a replay it returns 200 with the receipt of the
// first write.
func (r *Request) RespondCreated(remediationID string, w audit.Written) (*Response, error) {
	if w.Err != nil {
		return nil, w.Err
	}
	response := NewResponse(createdStatus(w), client.Receipt{
		ID:            w.ID,
		RemediationID: remediationID,
		CreatedAt:     w.Receipt.RecordedAt.UTC(),
		Embedding:     client.EmbeddingState(w.Receipt.Embedding),
		EventID:       w.Receipt.EventID.String(),
		LeafHash:      hex.EncodeToString(w.Receipt.LeafHash[:]),
	})
	response.setHeader("Location", r.basePath()+"/v1/remediations/"+url.PathEscape(remediationID))
	return markReplayed(response, w.Replayed), nil
}

func createdStatus(w audit.Written) int {
	if w.Replayed {
		return http.StatusOK
	}
	return http.StatusCreated
}

func markReplayed(response *Response, replayed bool) *Response {
	if replayed {
		response.setHeader("Idempotency-Replayed", "true")
	}
	return response
}

// RespondBatch returns one result for each record, in the order of the batch.
func (r *Request) RespondBatch(batch []BatchItem, written []audit.Written) *Response {
	results := make([]client.BatchResult, len(written))
	for i, w := range written {
		results[i] = client.BatchResult{Index: i, Status: createdStatus(w)}
		if batch[i].Remediation != nil {
			results[i].RemediationID = batch[i].Remediation.RemediationID
		}
		if w.Err != nil {
			results[i].Problem = requestProblem(r, w.Err)
			results[i].Status = results[i].Problem.Status
			continue
		}
		results[i].ID = w.ID
		results[i].EventID = w.Receipt.EventID.String()
		results[i].LeafHash = hex.EncodeToString(w.Receipt.LeafHash[:])
		results[i].Embedding = client.EmbeddingState(w.Receipt.Embedding)
	}
	return NewResponse(http.StatusOK, client.BatchResults{Results: results})
}

// RespondUpdated returns the remediation after an update.
func RespondUpdated(remediation audit.Stored, replayed bool) *Response {
	return markReplayed(NewResponse(http.StatusOK, wireRemediation(remediation)), replayed)
}

// RespondDetail returns a remediation with its children.
func RespondDetail(remediation audit.Stored, children audit.Children) *Response {
	body := client.RemediationChildren{
		AIAnalyses: convertSlice(children.AIAnalyses, wireAIAnalysis),
		Workflows:  convertSlice(children.Workflows, wireWorkflow),
		Executions: convertSlice(children.Executions, wireExecution),
	}
	plural := map[audit.Kind]client.ChildKind{
		audit.KindAIAnalysis: "ai_analyses", audit.KindWorkflow: "workflows", audit.KindExecution: "executions",
	}
	for _, kind := range children.Truncated {
		body.Truncated = append(body.Truncated, plural[kind])
	}
	return NewResponse(http.StatusOK, client.RemediationDetail{
		Remediation: wireRemediation(remediation), RemediationChildren: body,
	})
}
