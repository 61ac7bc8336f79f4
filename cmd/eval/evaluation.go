package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/pgserver"
)

// evaluation is one run and what it has measured so far.
type evaluation struct {
	server   *pgserver.Server
	modes    []client.SearchMode
	progress io.Writer
	// weights asks for weightings as well.
	weights    bool
	rankings   []ranking
	weightings []weighting
	foldings   []folding
}

// ranking is how well one mode of search with one model ranked one set.
type ranking struct {
	set, model string
	mode       client.SearchMode
	queries    int
	scores     scores
	// median is of the time a search took through the gateway.
	median time.Duration
}

func (e *evaluation) all(ctx context.Context, sets []set, providers []provider) error {
	for i, s := range sets {
		for j, env := range providers {
			if err := e.one(ctx, s, fmt.Sprintf("eval_%d_%d", i, j), env); err != nil {
				return fmt.Errorf("set %s: %w", s.name, err)
			}
		}
	}
	return nil
}

// one measures a set with one provider, on a new database.
func (e *evaluation) one(ctx context.Context, s set, database string, env provider) (err error) {
	service, err := serve(ctx, e.server, database, env, e.progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.close()) }()
	started := time.Now()
	if err := service.load(ctx, s.records); err != nil {
		return err
	}
	e.logf("%s, %s: loaded %d documents in %v", s.name, service.model, len(s.records), time.Since(started).Round(time.Second))
	for _, mode := range e.modes {
		measured, err := service.rank(ctx, s, mode)
		if err != nil {
			return fmt.Errorf("%s search: %w", mode, err)
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
	// Signatures know no model: the first provider's are everybody's.
	if s.templates == nil || slices.ContainsFunc(e.foldings, func(f folding) bool { return f.set == s.name }) {
		return nil
	}
	measured, err := service.fold(ctx, s)
	e.foldings = append(e.foldings, measured)
	return err
}

func (e *evaluation) logf(format string, args ...any) {
	_, _ = fmt.Fprintf(e.progress, format+"\n", args...)
}

// load records the documents, one batch after another in their order, and sees that every one has its embedding.
func (s *service) load(ctx context.Context, records []json.RawMessage) error {
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
	return s.embedRest(ctx)
}

// rank asks the set's queries one after another.
func (s *service) rank(ctx context.Context, of set, mode client.SearchMode) (ranking, error) {
	r := ranking{set: of.name, model: s.model, mode: mode, queries: len(of.queries)}
	var judged []scores
	var took []time.Duration
	for _, q := range of.queries {
		started := time.Now()
		found, err := s.search(ctx, q.Text, mode)
		if err != nil {
			return r, fmt.Errorf("query %s: %w", q.ID, err)
		}
		took = append(took, time.Since(started))
		judged = append(judged, score(found, q.gains))
	}
	slices.Sort(took)
	r.scores, r.median = mean(judged), took[len(took)/2]
	return r, nil
}

// search answers the remediations found: those of the best group first, each group's newest first.
func (s *service) search(ctx context.Context, text string, mode client.SearchMode) ([]string, error) {
	groups, each := depth, depth
	answer, err := s.api.Search(ctx, client.SearchInput{Query: text, Mode: &mode, Limit: &groups, PerSignature: &each})
	if err != nil {
		return nil, err
	}
	if len(answer.Search.Degraded) > 0 {
		return nil, fmt.Errorf("answered without %v", answer.Search.Degraded)
	}
	var found []string
	for _, group := range answer.Data {
		for _, remediation := range group.Remediations {
			found = append(found, remediation.RemediationID)
		}
	}
	return found, nil
}

// fold reads back which signature each document was given.
func (s *service) fold(ctx context.Context, of set) (folding, error) {
	signatureOf := map[string]string{}
	for remediation, err := range s.api.AllRemediations(ctx, client.ListRemediationsParams{Limit: 1000}) {
		if err != nil {
			return folding{}, fmt.Errorf("list: %w", err)
		}
		signatureOf[remediation.RemediationID] = remediation.SignatureID
	}
	f := fold(of.templates, signatureOf)
	f.set = of.name
	return f, nil
}
