package query

import (
	"context"
	"log/slog"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/search"
)

func (h handler) searchIncidents(ctx context.Context, r *api.Request) (*api.Response, error) {
	query, err := r.SearchQuery(h.Now())
	if err != nil {
		return nil, err
	}
	result, err := h.searchAndLog(ctx, query)
	if err != nil {
		return nil, err
	}
	return api.RespondSearch(query, result), nil
}

func (h handler) findSimilar(ctx context.Context, r *api.Request) (*api.Response, error) {
	id, query, err := r.SimilarQuery(h.Now())
	if err != nil {
		return nil, err
	}
	example, err := h.Store.Remediation(ctx, id)
	if err != nil {
		return nil, err
	}
	query.Example = &example
	result, err := h.searchAndLog(ctx, query)
	if err != nil {
		return nil, err
	}
	return api.RespondSimilar(query, result), nil
}

// searchAndLog searches, and logs why a search ran without its semantic retriever.
func (h handler) searchAndLog(ctx context.Context, query search.Query) (search.Result, error) {
	result, err := search.Find(ctx, h.Store, h.Models, query)
	if result.Degraded != nil {
		h.Log.WarnContext(ctx, "search without its semantic retriever", slog.Any("error", result.Degraded))
	}
	return result, err
}
