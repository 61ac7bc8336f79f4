// Package query handles the query function's requests: it decodes a request, reads from the store,
// and responds. It only reads, and contains neither SQL nor ranking.
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

// Config has the dependencies of a query function. All are required except Strong, Telemetry and
// Now.
type Config struct {
	// Store is the store for reads. It may be a replica that lags slightly.
	Store *postgres.Store
	// Strong is the store for reads with consistency=strong. It has every acknowledged write. Nil
	// means Store.
	Strong *postgres.Store
	Models embedding.Models
	Log    *slog.Logger
	// Timeout limits a request.
	Timeout time.Duration
	// Telemetry receives metrics and traces; nil drops them.
	Telemetry *telemetry.Telemetry
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New returns the function's router, or an error that names the missing dependency.
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
	routes := api.Routes{}
	for name, handle := range operations() {
		routes[name] = h.withConsistency(handle)
	}
	return api.NewRouter(routes, api.Options{Timeout: config.Timeout, Log: config.Log, Telemetry: config.Telemetry})
}

// operation handles a request by the store of its handler.
type operation func(handler, context.Context, *api.Request) (*api.Response, error)

// operations returns the function's operations by their names in openapi.yaml. Each reads with the
// consistency of its request.
func operations() map[string]operation {
	return map[string]operation{
		"listRemediations":   handler.listRemediations,
		"getRemediation":     handler.getRemediation,
		"getHistory":         handler.getHistory,
		"findSimilar":        handler.findSimilar,
		"listIncidentEvents": handler.listIncidentEvents,
		"getSuccessRate":     handler.getSuccessRate,
		"getTrend":           handler.getTrend,
		"search":             handler.searchIncidents,
	}
}

type handler struct{ Config }

// withConsistency returns a route that reads from the store for the request's consistency.
func (h handler) withConsistency(handle operation) api.Handler {
	return func(ctx context.Context, r *api.Request) (*api.Response, error) {
		from := h
		if r.Strong() {
			from.Store = h.Strong
		}
		return handle(from, ctx, r)
	}
}

func (h handler) listRemediations(ctx context.Context, r *api.Request) (*api.Response, error) {
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

func (h handler) getRemediation(ctx context.Context, r *api.Request) (*api.Response, error) {
	id, err := r.ReadRemediationIDWithConsistency()
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

func (h handler) getHistory(ctx context.Context, r *api.Request) (*api.Response, error) {
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

func (h handler) listIncidentEvents(ctx context.Context, r *api.Request) (*api.Response, error) {
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

func (h handler) getSuccessRate(ctx context.Context, r *api.Request) (*api.Response, error) {
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

func (h handler) getTrend(ctx context.Context, r *api.Request) (*api.Response, error) {
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
