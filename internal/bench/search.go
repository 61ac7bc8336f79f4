package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pgvector/pgvector-go"
	pgvectorpgx "github.com/pgvector/pgvector-go/pgx"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// benchSearch measures searches through the handler against the statements that they execute, with the same parameters, one after
// the other on one connection of the bare driver. The queries' vectors are remembered, the pages are in memory.
func benchSearch(ctx context.Context, e *env) (lines []line, err error) {
	s, err := e.reopen(ctx, "bench_search")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	signatures, remediations := e.options.size(50_000, 999), e.options.size(200_000, 40_000)
	if err := s.furnish(ctx, signatures, remediations); err != nil {
		return nil, err
	}
	for _, f := range []struct{ what, filters string }{
		{"unfiltered", `{}`},
		{"filter that a fifth passes", `{"namespace":"shop-0"}`},
		{"filter that 1 in 2,000 passes", `{"namespace":"rare"}`},
	} {
		measured, err := s.measureSearch(ctx, f.what, f.filters)
		if err != nil {
			return lines, err
		}
		lines = append(lines, measured...)
	}
	return lines, nil
}

// furnish stores signatures with their vectors, and remediations of them, unless they are there from an earlier run.
func (s *stand) furnish(ctx context.Context, signatures, remediations int) error {
	have, err := s.rows(ctx)
	if err != nil || have.vectors == signatures && have.remediations == remediations {
		return err
	}
	if have != (rows{}) {
		return fmt.Errorf("%s holds %+v of an earlier run: remove %s", s.database, have, s.dir)
	}
	s.logf("search: make %d vectors", signatures)
	if err := s.learn(ctx, signatures); err != nil {
		return fmt.Errorf("store signatures: %w", err)
	}
	s.logf("search: store %d remediations", remediations)
	return s.fill(ctx, remediations)
}

// learn stores the signatures of the first count incidents and their vectors, by COPY, and makes the vectors' index afterwards.
func (s *stand) learn(ctx context.Context, count int) error {
	return s.superuser(ctx, func(conn *pgx.Conn) error {
		if err := pgvectorpgx.RegisterTypes(ctx, conn); err != nil {
			return err
		}
		var model int16
		var partition string
		err := conn.QueryRow(ctx, "SELECT id, 'embedding_' || id FROM embedding_model WHERE name = $1",
			s.functions.Models[0].Model().String()).Scan(&model, &partition)
		if err != nil {
			return err
		}
		return withoutIndexes(ctx, conn, partition, func() error {
			const chunk = 500
			for first := 0; first < count; first += chunk {
				if err := s.learnChunk(ctx, conn, model, first, min(chunk, count-first)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (s *stand) learnChunk(ctx context.Context, conn *pgx.Conn, model int16, first, count int) error {
	signatures := make([]audit.Signature, count)
	for i := range signatures {
		r, err := remediation("r", first+i)
		if err != nil {
			return err
		}
		signatures[i] = r.Signature()
	}
	vectors, err := s.functions.Models[0].Documents(ctx, signatures, nil)
	if err != nil {
		return err
	}
	if len(vectors) != count {
		return fmt.Errorf("%d incidents have %d signatures", count, len(vectors))
	}
	for _, c := range vectorCopies(model, signatures, vectors) {
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{c.table}, c.columns, pgx.CopyFromRows(c.rows)); err != nil {
			return fmt.Errorf("copy into %s: %w", c.table, err)
		}
	}
	return nil
}

// vectorCopies are the rows of signatures and their vectors.
func vectorCopies(model int16, signatures []audit.Signature, vectors map[audit.ID][]float32) []copied {
	texts := copied{table: "signature", columns: []string{"id", "text", "normalizer"}}
	embeddings := copied{table: "embedding", columns: []string{"model_id", "signature_id", "vector"}}
	for _, s := range signatures {
		texts.rows = append(texts.rows, []any{s.ID, s.Text, s.Normalizer})
		embeddings.rows = append(embeddings.rows, []any{model, s.ID, pgvector.NewHalfVector(vectors[s.ID])})
	}
	return []copied{texts, embeddings}
}

// searched is one search: the event of it, and the statements that it executes.
type searched struct {
	request    []byte
	statements []statement
}

// rehearse runs searches through the recorder. Each must find ten signatures, as there are more that match.
func (s *stand) rehearse(ctx context.Context, filters string) ([]searched, error) {
	functions, err := s.newFunctions(ctx, s.recorder.through)
	if err != nil {
		return nil, err
	}
	defer functions.Close()
	var all []searched
	for q := range s.options.size(40, 5) {
		i := sampleIncident(q * 997 % 1000)
		request, err := postEvent("/v1/search", map[string]any{
			"query": fmt.Sprintf("%s of %s: %s", i.alert, i.service, i.failure), "filters": json.RawMessage(filters),
		})
		if err != nil {
			return nil, err
		}
		for range 2 { // the first describes the statements
			s.recorder.take()
			if err := finds(ctx, functions.Handlers["QueryFunction"], request, 10); err != nil {
				return nil, err
			}
		}
		all = append(all, searched{request, s.recorder.take()})
	}
	return all, nil
}

func finds(ctx context.Context, function lambda.Handler, request []byte, want int) error {
	var results client.SearchResults
	if err := invokeInto(ctx, function, request, &results); err != nil {
		return err
	}
	if len(results.Data) != want {
		return fmt.Errorf("a search found %d signatures, want %d", len(results.Data), want)
	}
	return nil
}

// invokeInto calls a function and reads the body of its answer, which must be 200.
func invokeInto(ctx context.Context, function lambda.Handler, request []byte, body any) error {
	answer, err := function.Invoke(ctx, request)
	if err != nil {
		return err
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		return err
	}
	if response.StatusCode != 200 {
		return fmt.Errorf("the answer is not 200: %.300s", answer)
	}
	return json.Unmarshal([]byte(response.Body), body)
}

func (s *stand) measureSearch(ctx context.Context, what, filters string) ([]line, error) {
	searches, err := s.rehearse(ctx, filters)
	if err != nil {
		return nil, err
	}
	floor, err := pgconn.Connect(ctx, s.readerURL())
	if err != nil {
		return nil, err
	}
	defer func() { _ = floor.Close(context.WithoutCancel(ctx)) }()
	times, err := s.searchTimes(ctx, searches, floor)
	if err != nil {
		return nil, err
	}
	s.logf("search: %s executes %s", what, statementNames(searches[0].statements))
	var lines []line
	for _, q := range []struct {
		name string
		at   float64
	}{{"median", 0.5}, {"p95", 0.95}} {
		result, bare := quantile(times[0], q.at), quantile(times[1], q.at)
		lines = append(lines, line{
			what:   fmt.Sprintf("search: %s, %s", what, q.name),
			result: milliseconds(result), floor: milliseconds(bare), ratio: result / bare, goal: goal{most: 1.3},
		})
	}
	return lines, nil
}

// searchTimes runs each search by the handler and by its statements, in turns; the first round is not counted.
func (s *stand) searchTimes(ctx context.Context, searches []searched, floor *pgconn.PgConn) (times [2][]float64, err error) {
	for round := range s.options.rounds + 1 {
		for n, one := range searches {
			figures, err := alternateOnce(ctx, round+n, sides{
				func(ctx context.Context) (float64, error) {
					return timed(func() error { return invoke(ctx, s.querier(), one.request, 200) })
				},
				func(ctx context.Context) (float64, error) {
					return timed(func() error { return replayAll(ctx, floor, one.statements) })
				},
			})
			if err != nil {
				return times, err
			}
			if round > 0 {
				times[0], times[1] = append(times[0], figures[0]), append(times[1], figures[1])
			}
		}
	}
	return times, nil
}

func replayAll(ctx context.Context, conn *pgconn.PgConn, statements []statement) error {
	for _, statement := range statements {
		if err := statement.replay(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

func statementNames(statements []statement) []string {
	var names []string
	for _, s := range statements {
		names = append(names, s.name())
	}
	return names
}

func milliseconds(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Microsecond).String()
}
