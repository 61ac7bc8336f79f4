package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/pgserver"
)

// evaluation is one run and its measurements so far.
type evaluation struct {
	server   *pgserver.Server
	modes    []client.SearchMode
	progress io.Writer
	// weights enables weightings.
	weights    bool
	rankings   []ranking
	weightings []weighting
	foldings   []folding
}

// ranking measures the results of one search mode with one model on one set.
type ranking struct {
	set, model string
	mode       client.SearchMode
	queries    int
	scores     scores
	// falseNo is the fraction of the set's queries whose response says that nothing is similar, and
	// trueNo that of the other sets' queries, NaN if there are no other sets. Both are from 0 to 1.
	falseNo, trueNo float64
	// median is the median time of a search through the gateway.
	median time.Duration
}

func (e *evaluation) measureAllSets(ctx context.Context, sets []set, providers []provider) error {
	for i, s := range sets {
		for j, env := range providers {
			if err := e.measureSet(ctx, s, otherQueries(sets, s), fmt.Sprintf("eval_%d_%d", i, j), env); err != nil {
				return fmt.Errorf("set %s: %w", s.name, err)
			}
		}
	}
	return nil
}

// otherQueries returns the queries of the sets other than one.
func otherQueries(sets []set, than set) (queries []query) {
	for _, s := range sets {
		if s.name != than.name {
			queries = append(queries, s.queries...)
		}
	}
	return queries
}

// measureSet measures one set with one provider, on a new database. others are queries that its
// documents have nothing about.
func (e *evaluation) measureSet(ctx context.Context, s set, others []query, database string, env provider) (err error) {
	service, err := startService(ctx, e.server, database, env, e.progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.closeService()) }()
	started := time.Now()
	if err := service.loadRecords(ctx, s.records); err != nil {
		return err
	}
	e.logProgress("%s, %s: loaded %d documents in %v", s.name, service.model, len(s.records),
		time.Since(started).Round(time.Second))
	for _, mode := range e.modes {
		measured, err := service.measureRanking(ctx, s, mode)
		if err != nil {
			return fmt.Errorf("%s search: %w", mode, err)
		}
		if measured.trueNo, err = service.measureTrueNo(ctx, others, mode); err != nil {
			return fmt.Errorf("%s search for queries of other sets: %w", mode, err)
		}
		e.rankings = append(e.rankings, measured)
	}
	if e.weights {
		measured, err := service.measureWeights(ctx, s)
		if err != nil {
			return fmt.Errorf("weights of hybrid search: %w", err)
		}
		e.weightings = append(e.weightings, measured)
	}
	// Signatures do not depend on the model, so those of the first provider suffice.
	if s.templates == nil || slices.ContainsFunc(e.foldings, func(f folding) bool { return f.set == s.name }) {
		return nil
	}
	measured, err := service.measureFolding(ctx, s)
	e.foldings = append(e.foldings, measured)
	return err
}

func (e *evaluation) logProgress(format string, args ...any) {
	_, _ = fmt.Fprintf(e.progress, format+"\n", args...)
}

// loadRecords creates the remediations in order, one batch after another, and waits until each has
// its embedding.
func (s *service) loadRecords(ctx context.Context, records []json.RawMessage) error {
	for batch := range slices.Chunk(records, client.MaxBatch) {
		results, err := s.api.CreateRemediationsJSON(ctx, batch)
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		for _, result := range results {
			if err := result.Err(); err != nil {
				return fmt.Errorf("load %s: %w", batch[result.Index], err)
			}
		}
	}
	return s.makePendingEmbeddings(ctx)
}

// measureRanking searches for the set's queries, one after another.
func (s *service) measureRanking(ctx context.Context, of set, mode client.SearchMode) (ranking, error) {
	r := ranking{set: of.name, model: s.model, mode: mode, queries: len(of.queries)}
	var judged []scores
	var took []time.Duration
	for _, q := range of.queries {
		started := time.Now()
		found, nothing, err := s.searchRemediations(ctx, q.Text, mode)
		if err != nil {
			return r, fmt.Errorf("query %s: %w", q.ID, err)
		}
		took = append(took, time.Since(started))
		r.falseNo += indicator(nothing) / float64(len(of.queries))
		judged = append(judged, scoreRanking(found, q.gains))
	}
	slices.Sort(took)
	r.scores, r.median = meanScores(judged), took[len(took)/2]
	return r, nil
}

// measureTrueNo returns the fraction of the queries whose response says that nothing is similar.
func (s *service) measureTrueNo(ctx context.Context, queries []query, mode client.SearchMode) (float64, error) {
	if len(queries) == 0 {
		return math.NaN(), nil
	}
	nothing := 0
	for _, q := range queries {
		response, err := s.search(ctx, client.SearchInput{Query: q.Text, Mode: &mode, Limit: new(1), PerSignature: new(0)})
		if err != nil {
			return 0, fmt.Errorf("query %s: %w", q.ID, err)
		}
		if response.NothingSimilar {
			nothing++
		}
	}
	return float64(nothing) / float64(len(queries)), nil
}

// searchRemediations returns the remediations found, the best incident first and the newest first
// within an incident, and whether the response says that nothing is similar.
func (s *service) searchRemediations(ctx context.Context, text string, mode client.SearchMode) (found []string, nothing bool, err error) {
	groups, each := depth, depth
	response, err := s.search(ctx, client.SearchInput{Query: text, Mode: &mode, Limit: &groups, PerSignature: &each})
	if err != nil {
		return nil, false, err
	}
	for _, group := range response.Data {
		for _, remediation := range group.Remediations {
			found = append(found, remediation.RemediationID)
		}
	}
	return found, response.NothingSimilar, nil
}

// search searches with all retrievers of the mode, or fails.
func (s *service) search(ctx context.Context, input client.SearchInput) (*client.SearchResults, error) {
	response, err := s.api.Search(ctx, input)
	if err == nil && len(response.Search.Degraded) > 0 {
		err = fmt.Errorf("the search was degraded: without %v", response.Search.Degraded)
	}
	return response, err
}

// measureFolding reads the signature of each document from the service.
func (s *service) measureFolding(ctx context.Context, of set) (folding, error) {
	signatureOf := map[string]string{}
	for remediation, err := range s.api.AllRemediations(ctx, client.ListRemediationsParams{Limit: 1000}) {
		if err != nil {
			return folding{}, fmt.Errorf("list: %w", err)
		}
		signatureOf[remediation.RemediationID] = remediation.SignatureID
	}
	f := judgeFolding(of.templates, signatureOf)
	f.set = of.name
	return f, nil
}
