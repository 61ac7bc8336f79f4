// Package query answers the query function's events: it reads what a request asks for, asks the store, and answers. It writes
// nothing and knows no SQL.
package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
	// Lambda's provided.al2023 has no time zone files.
	_ "time/tzdata"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Config are the parts of a query function. All are required but Strong, Telemetry and Now.
type Config struct {
	// Store answers reads; it may be a replica that is a little behind.
	Store *postgres.Store
	// Strong answers the reads that ask for consistency=strong: it is behind nothing that was acknowledged. Nil means Store.
	Strong *postgres.Store
	Models embedding.Models
	Log    *slog.Logger
	// Timeout bounds a request.
	Timeout time.Duration
	// Telemetry gets metrics and traces; nil means that nothing does.
	Telemetry *telemetry.Telemetry
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New makes the function's front; an error names the part that is missing.
func New(config Config) (*api.Router, error) {
	if config.Store == nil {
		return nil, errors.New("query: Store must be set")
	}
	if err := config.Models.Validate(); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	if config.Strong == nil {
		config.Strong = config.Store
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	config.Log = telemetry.Logger(config.Log)
	h := handler{config}
	return api.NewRouter(api.Routes{
		"listRemediations":   h.consistent(handler.list),
		"getRemediation":     h.consistent(handler.get),
		"getHistory":         h.consistent(handler.history),
		"findSimilar":        h.consistent(handler.similar),
		"listIncidentEvents": h.consistent(handler.incidentEvents),
		"getSuccessRate":     h.consistent(handler.successRate),
		"getTrend":           h.consistent(handler.trend),
		"search":             h.consistent(handler.search),
	}, api.Options{Timeout: config.Timeout, Log: config.Log, Telemetry: config.Telemetry})
}

type handler struct{ Config }

// consistent lets a route read from the store that the request asks for.
func (h handler) consistent(
	answer func(handler, context.Context, *api.Request) (*api.Response, error),
) api.Handler {
	return func(ctx context.Context, r *api.Request) (*api.Response, error) {
		from := h
		if r.Strong() {
			from.Store = h.Strong
		}
		return answer(from, ctx, r)
	}
}

func (h handler) list(ctx context.Context, r *api.Request) (*api.Response, error) {
	query, err := r.ListQuery(ctx, h.Store.CursorKey, h.Now())
	if err != nil {
		return nil, err
	}
	page, err := h.Store.List(ctx, query.Filter, query.Page)
	if err != nil {
		return nil, err
	}
	return query.Respond(page)
}

func (h handler) get(ctx context.Context, r *api.Request) (*api.Response, error) {
	id, err := r.GetQuery()
	if err != nil {
		return nil, err
	}
	remediation, err := h.Store.Remediation(ctx, id)
	if err != nil {
		return nil, err
	}
	children, err := h.Store.Children(ctx, id)
	if err != nil {
		return nil, err
	}
	return api.RespondDetail(remediation, children), nil
}

func (h handler) history(ctx context.Context, r *api.Request) (*api.Response, error) {
	id, paging, err := r.HistoryQuery(ctx, h.Store.CursorKey)
	if err != nil {
		return nil, err
	}
	page, err := h.Store.History(ctx, id, paging.Limit, paging.HistoryPosition())
	if err != nil {
		return nil, err
	}
	return paging.RespondHistory(page)
}

func (h handler) incidentEvents(ctx context.Context, r *api.Request) (*api.Response, error) {
	query, err := r.IncidentQuery(ctx, h.Store.CursorKey, h.Now())
	if err != nil {
		return nil, err
	}
	filter := postgres.IncidentFilter{
		AlertNames: query.AlertNames, Namespaces: query.Namespaces, WorkflowStatuses: query.WorkflowStatuses,
		Since: query.Since, Until: query.Until,
	}
	page, err := h.Store.IncidentEvents(ctx, filter, query.Limit, query.Position())
	if err != nil {
		return nil, err
	}
	return query.Respond(page)
}

func (h handler) successRate(ctx context.Context, r *api.Request) (*api.Response, error) {
	query, err := r.RateQuery(h.Now())
	if err != nil {
		return nil, err
	}
	rates, hasMore, err := h.Store.SuccessRates(ctx, query.Dimension, query.Filter, query.MinSamples, query.Limit)
	if err != nil {
		return nil, err
	}
	return query.Respond(rates, hasMore), nil
}

func (h handler) trend(ctx context.Context, r *api.Request) (*api.Response, error) {
	query, err := r.TrendQuery(h.Now())
	if err != nil {
		return nil, err
	}
	counts, err := h.Store.Trend(ctx, query.Starts, query.Filter)
	if err != nil {
		return nil, err
	}
	return query.Respond(counts), nil
}
