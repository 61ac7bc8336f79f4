package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/client"
)

// searchDimensions is the length of vectors of common small sentence models (all-MiniLM-L6-v2).
const searchDimensions = 384

// benchSearch measures searches through the handler against the statements of their retrievers, with the same parameters, executed one after
// the other on connections of the bare driver. The queries' vectors are cached, and the pages are in memory.
func benchSearch(ctx context.Context, e *benchEnv) (lines []line, err error) {
	s, err := e.openSearchStand(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
	err = e.options.withCPUProfile(func() error {
		for _, k := range searchKinds() {
			measured, err := s.measureSearch(ctx, k)
			if err != nil {
				return fmt.Errorf("%s: %w", k.what, err)
			}
			lines = append(lines, measured...)
		}
		return nil
	})
	return lines, err
}

// searchKind is a mode and a filter of given selectivity.
type searchKind struct {
	what, filters string
	mode          client.SearchMode
	// retrievers are the searches whose statements are the floor.
	retrievers []searchRetriever
}

// searchRetriever is a search by one retriever alone. until names the last statement that counts; empty means all.
type searchRetriever struct {
	mode  client.SearchMode
	limit int
	until string
}

// searchKinds returns the measured searches. A hybrid search queries each retriever for a hundred signatures. Its floor is all statements of a
// lexical search (the terms' weights, the best hundred, their terms, the details of the best ten) and those of the semantic retriever for a
// hundred. The floor does not include scoring the candidates of each retriever by the other.
func searchKinds() (all []searchKind) {
	const half = 50 // for each incident that it is to find, a semantic search asks for two signatures
	for _, f := range []struct{ what, filters string }{
		{"unfiltered", `{}`},
		{"filter that a fifth passes", `{"namespace":"shop-0"}`},
		{"filter that 1 in 2,000 passes", `{"namespace":"rare"}`},
	} {
		all = append(all, searchKind{
			what: "semantic, " + f.what, filters: f.filters, mode: client.SearchModeSemantic,
			retrievers: []searchRetriever{{client.SearchModeSemantic, 10, ""}},
		}, searchKind{
			what: "hybrid, " + f.what, filters: f.filters, mode: client.SearchModeHybrid,
			retrievers: []searchRetriever{{client.SearchModeSemantic, half, "SearchNearest"}, {client.SearchModeLexical, 10, ""}},
		})
	}
	return all
}

// recordedSearch is one search: its event, and the statements that its retrievers execute.
type recordedSearch struct {
	request    []byte
	statements []statement
}

// recordSearches makes searches and records the statements of their floors.
func (s *stand) recordSearches(ctx context.Context, k searchKind) ([]recordedSearch, error) {
	functions, err := s.newFunctions(ctx, s.recorder.recordingURL)
	if err != nil {
		return nil, err
	}
	defer functions.Close()
	var all []recordedSearch
	for q := range s.options.fullOrShort(40, 5) {
		i := sampleIncident(q * 997 % 1000)
		query := fmt.Sprintf("%s of %s: %s", i.alert, i.service, i.failure)
		one := recordedSearch{}
		for _, retriever := range k.retrievers {
			request, err := newSearchEvent(query, retriever.mode, retriever.limit, k.filters)
			if err != nil {
				return nil, err
			}
			statements, err := s.recordedStatements(ctx, functions.Handlers["QueryFunction"], request, retriever)
			if err != nil {
				return nil, err
			}
			one.statements = append(one.statements, statements...)
		}
		if one.request, err = newSearchEvent(query, k.mode, 10, k.filters); err != nil {
			return nil, err
		}
		if err := demandResults(ctx, s.queryFunction(), one.request, 10); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	s.logProgress("search: the floor of %s executes %s", k.what, statementNames(all[0].statements))
	return all, nil
}

func newSearchEvent(query string, mode client.SearchMode, limit int, filters string) ([]byte, error) {
	return newPostEvent("/v1/search", map[string]any{
		"query": query, "mode": mode, "limit": limit, "filters": json.RawMessage(filters),
	})
}

// recordedStatements returns the statements of a retriever's search that belong to the floor.
func (s *stand) recordedStatements(ctx context.Context, function lambda.Handler, request []byte, retriever searchRetriever) ([]statement, error) {
	want := 10
	if retriever.mode == client.SearchModeLexical {
		want = 1 // a signature without a word of the query is not found
	}
	for range 2 { // the first describes the statements
		s.recorder.takeStatements()
		if err := demandResults(ctx, function, request, want); err != nil {
			return nil, err
		}
	}
	statements := s.recorder.takeStatements()
	if retriever.until == "" {
		return statements, nil
	}
	last := -1
	for i, statement := range statements {
		if statement.queryName() == retriever.until {
			last = i
		}
	}
	if last < 0 {
		return nil, fmt.Errorf("a search executes %s, and no %s", statementNames(statements), retriever.until)
	}
	return statements[:last+1], nil
}

// demandResults fails unless a search finds at least that many signatures.
func demandResults(ctx context.Context, function lambda.Handler, request []byte, want int) error {
	var results client.SearchResults
	if err := invokeInto(ctx, function, request, &results); err != nil {
		return err
	}
	if len(results.Data) < want {
		return fmt.Errorf("a search found %d signatures, want %d", len(results.Data), want)
	}
	return nil
}

// invokeInto calls a function and reads the body of its response, which must be 200.
func invokeInto(ctx context.Context, function lambda.Handler, request []byte, body any) error {
	payload, err := function.Invoke(ctx, request)
	if err != nil {
		return err
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(payload, &response); err != nil {
		return err
	}
	if response.StatusCode != 200 {
		return fmt.Errorf("the response is not 200: %.300s", payload)
	}
	return json.Unmarshal([]byte(response.Body), body)
}

func (s *stand) measureSearch(ctx context.Context, k searchKind) (lines []line, err error) {
	searches, err := s.recordSearches(ctx, k)
	if err != nil {
		return nil, err
	}
	for _, clients := range []int{1, clients} {
		times, err := s.timeSearches(ctx, searches, clients)
		if err != nil {
			return lines, err
		}
		for _, q := range []struct {
			name string
			at   float64
		}{{"median", 0.5}, {"p95", 0.95}} {
			result, bare := quantileOf(times[0], q.at), quantileOf(times[1], q.at)
			lines = append(lines, line{
				what:   fmt.Sprintf("search: %s, %s, %s", k.what, pluralize(clients, "client"), q.name),
				result: formatMilliseconds(result), floor: formatMilliseconds(bare), ratio: result / bare, goal: goal{most: 1.3},
			})
		}
	}
	return lines, nil
}

// timeSearches alternates between the handler and its statements; the first round is not counted.
func (s *stand) timeSearches(ctx context.Context, searches []recordedSearch, clients int) (times [2][]float64, err error) {
	floors, err := s.openFloorConnections(ctx, clients)
	defer func() {
		for _, conn := range floors {
			_ = conn.Close(context.WithoutCancel(ctx))
		}
	}()
	if err != nil {
		return times, err
	}
	ways := [2]func(ctx context.Context, client int, one recordedSearch) error{
		func(ctx context.Context, _ int, one recordedSearch) error {
			return invokeExpecting(ctx, s.queryFunction(), one.request, 200)
		},
		func(ctx context.Context, client int, one recordedSearch) error {
			return replayStatements(ctx, floors[client], one.statements)
		},
	}
	for round := range s.options.rounds + 1 {
		for turn := range 2 {
			side := (round + turn) % 2
			took, err := shareTasks(ctx, clients, slices.Repeat(searches, min(clients, 3)), ways[side])
			if err != nil {
				return times, err
			}
			if round > 0 {
				times[side] = append(times[side], took...)
			}
		}
	}
	return times, nil
}

// openFloorConnections opens one connection of the bare driver for each client.
func (s *stand) openFloorConnections(ctx context.Context, clients int) (conns []*pgconn.PgConn, err error) {
	for range clients {
		conn, err := pgconn.Connect(ctx, s.readerURL())
		if err != nil {
			return conns, err
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

func replayStatements(ctx context.Context, conn *pgconn.PgConn, statements []statement) error {
	for _, statement := range statements {
		if err := statement.replayOn(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

func statementNames(statements []statement) []string {
	var names []string
	for _, s := range statements {
		names = append(names, s.queryName())
	}
	return names
}

func formatMilliseconds(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Microsecond).String()
}
