package postgres

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

const (
	// manySignatures is from how many on the upkeep's count of signatures is used instead of counting them, which takes some 2 ms here.
	manySignatures = 20_000
	// frequent is how many signatures hold a term that the upkeep counts; a search counts the others itself, no further than countTo.
	frequent = 1_000
	countTo  = 5_000
	// postings is how many entries of the inverted index a search reads at first, from its rarest term on: the frequent terms that
	// are left out say little, and count again when the candidates are scored.
	postings = 50_000
)

// Weigh weighs the terms of a query by how rare they are among the signatures.
func (s *Store) Weigh(ctx context.Context, query lexical.Query) (*lexical.Scorer, lexical.Statistics, error) {
	statistics, err := retry(ctx, s, "count terms", func(ctx context.Context) (lexical.Statistics, error) {
		total, err := s.queries.LexicalStatistics(ctx, s.pool, dbsqlc.LexicalStatisticsParams{MinSignatures: manySignatures})
		if err != nil {
			return lexical.Statistics{}, err
		}
		counted, err := s.queries.LexicalFrequencies(ctx, s.pool, dbsqlc.LexicalFrequenciesParams{Terms: numbers(query.Terms()), MaxCount: countTo})
		statistics := lexical.Statistics{Signatures: total.Signatures, MeanLength: total.MeanLength, Holding: map[lexical.Term]int64{}}
		for _, row := range counted {
			statistics.Holding[lexical.Term(row.Term)] = row.Signatures
		}
		return statistics, err
	})
	return lexical.NewScorer(query, statistics), statistics, err
}

func numbers(terms []lexical.Term) []int64 {
	out := make([]int64, len(terms))
	for i, term := range terms {
		out[i] = int64(term)
	}
	return out
}

// Lexical answers the signatures that score best among those with a remediation that the filter leaves, best first: limit of them whenever
// so many hold a term of the query. The frequent terms may be left out of the order; Candidates have what it takes to score in full.
func (s *Store) Lexical(
	ctx context.Context, scorer *lexical.Scorer, statistics lexical.Statistics, f audit.Filter, limit int,
) ([]audit.ID, error) {
	exact, err := s.fewMatch(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.lexical(ctx, scorer, statistics, f, exact, limit)
}

// lexical is Lexical by the exact route or by the inverted index.
func (s *Store) lexical(
	ctx context.Context, scorer *lexical.Scorer, statistics lexical.Statistics, f audit.Filter, exact bool, limit int,
) ([]audit.ID, error) {
	if len(scorer.Terms) == 0 {
		return nil, nil
	}
	return retry(ctx, s, "search by words", func(ctx context.Context) ([]audit.ID, error) {
		few := rarest(scorer.Terms, statistics.Holding)
		params := lexicalParams(scorer, few, f, limit)
		params.Exact = exact
		rows, err := s.queries.SearchLexical(ctx, s.pool, params)
		if err == nil && len(rows) < limit && len(few) < len(scorer.Terms) {
			params = lexicalParams(scorer, scorer.Terms, f, limit)
			params.Exact = exact
			rows, err = s.queries.SearchLexical(ctx, s.pool, params)
		}
		found := make([]audit.ID, len(rows))
		for i, row := range rows {
			found[i] = row.SignatureID
		}
		return found, err
	})
}

// Retrieved holds the signatures that the two retrievers of a hybrid search found, each best first.
type Retrieved struct {
	// Nearest is from the semantic retriever.
	Nearest []Nearest
	// Lexical is from the lexical retriever; Scorer has weighed the query's terms.
	Lexical []audit.ID
	Scorer  *lexical.Scorer
}

// Retrieve returns what Nearest, and Weigh and Lexical, return for the same limit. They run concurrently as far as the pool has connections;
// what the filter matches is counted once for both.
func (s *Store) Retrieve(
	ctx context.Context, vector []float32, query lexical.Query, f audit.Filter, limit int,
) (found Retrieved, err error) {
	var exact bool
	var statistics lexical.Statistics
	// Neither ends the other when it fails: a query that is broken off costs a connection.
	var first, second errgroup.Group
	first.Go(func() (err error) {
		exact, err = s.fewMatch(ctx, f)
		return err
	})
	found.Scorer, statistics, err = s.Weigh(ctx, query)
	if err := errors.Join(err, first.Wait()); err != nil {
		return Retrieved{}, err
	}
	second.Go(func() (err error) {
		found.Nearest, err = s.nearest(ctx, vector, f, exact, limit)
		return err
	})
	found.Lexical, err = s.lexical(ctx, found.Scorer, statistics, f, exact, limit)
	return found, errors.Join(err, second.Wait())
}

// rarest are the rarest of the terms, as many as have postings entries between them, but at least one.
func rarest(terms []lexical.QueryTerm, holding map[lexical.Term]int64) []lexical.QueryTerm {
	sorted := slices.SortedStableFunc(slices.Values(terms), func(a, b lexical.QueryTerm) int {
		return int(holding[a.Term] - holding[b.Term])
	})
	var entries int64
	for i, term := range sorted {
		if entries += holding[term.Term]; entries > postings && i > 0 {
			return sorted[:i]
		}
	}
	return sorted
}

func lexicalParams(scorer *lexical.Scorer, terms []lexical.QueryTerm, f audit.Filter, limit int) dbsqlc.SearchLexicalParams {
	params := dbsqlc.SearchLexicalParams{
		Filter: filterJSON(f),
		Flat:   scorer.Flat, Slope: scorer.Slope, PageSize: int64(limit),
	}
	for _, term := range terms {
		params.Terms = append(params.Terms, int64(term.Term))
		params.Weights = append(params.Weights, term.Weight)
	}
	return params
}

// Candidate is a signature with what every retriever needs to score it.
type Candidate struct {
	SignatureID audit.ID
	IncidentID  audit.ID
	Text        string
	Document    lexical.Document
	// Distance is the cosine distance from the query vector, 2 when there is no vector on either side.
	Distance float64
}

// Candidates reads signatures, in the order of their ids. vector may be nil.
func (s *Store) Candidates(ctx context.Context, signatures []audit.ID, vector []float32) ([]Candidate, error) {
	return retry(ctx, s, "read candidates", func(ctx context.Context) ([]Candidate, error) {
		params := dbsqlc.SearchCandidatesParams{Query: vector, Ids: signatures}
		if vector != nil {
			model, err := s.registered(ctx)
			if err != nil {
				return nil, err
			}
			params.ModelID = model.ID
		}
		rows, err := s.queries.SearchCandidates(ctx, s.pool, params)
		candidates := make([]Candidate, len(rows))
		for i, row := range rows {
			document := lexical.Document{Counts: row.Counts, Length: row.Length}
			for _, term := range row.Terms {
				document.Terms = append(document.Terms, lexical.Term(term))
			}
			candidates[i] = Candidate{
				SignatureID: row.ID, IncidentID: row.IncidentID, Text: row.Text, Document: document, Distance: row.Distance,
			}
		}
		return candidates, err
	})
}

// Alike answers the cosine distances of signatures from an example, one of them, in the store's model; those without a vector are left
// out. There are none if the example has no vector any more.
func (s *Store) Alike(ctx context.Context, example audit.ID, signatures []audit.ID) (map[audit.ID]float64, error) {
	return retry(ctx, s, "compare candidates", func(ctx context.Context) (map[audit.ID]float64, error) {
		model, err := s.registered(ctx)
		if err != nil {
			return nil, err
		}
		rows, err := s.queries.SearchAlike(ctx, s.pool, dbsqlc.SearchAlikeParams{ModelID: model.ID, Example: example, Ids: signatures})
		distances := make(map[audit.ID]float64, len(rows))
		for _, row := range rows {
			distances[row.SignatureID] = row.Distance
		}
		return distances, err
	})
}

// Unanalyzed reads signatures that have no terms, or terms of an older analyzer.
func (s *Store) Unanalyzed(ctx context.Context, limit int) ([]audit.Signature, error) {
	return retry(ctx, s, "look for signatures without terms", func(ctx context.Context) ([]audit.Signature, error) {
		rows, err := s.queries.SignatureUnanalyzed(ctx, s.pool, dbsqlc.SignatureUnanalyzedParams{
			Analyzer: lexical.Analyzer, PageSize: int64(limit),
		})
		signatures := make([]audit.Signature, len(rows))
		for i, row := range rows {
			signatures[i] = audit.Signature{ID: row.ID, Text: row.Text}
		}
		return signatures, err
	})
}

// Analyze stores the terms of signatures, and answers how many lacked them until then.
func (s *Store) Analyze(ctx context.Context, signatures []audit.Signature) (int64, error) {
	var arrays signatureArrays
	for _, signature := range signatures {
		arrays.add(signature)
	}
	return retry(ctx, s, "store terms", func(ctx context.Context) (int64, error) {
		return s.queries.SignatureAnalyze(ctx, s.pool, dbsqlc.SignatureAnalyzeParams{
			Analyzer: lexical.Analyzer, Ids: arrays.ids, Terms: arrays.terms, Counts: arrays.counts, Lengths: arrays.lengths,
		})
	})
}

// CountTerms counts anew what searches need to weigh terms, if enough has changed, and answers whether it had.
func (s *Store) CountTerms(ctx context.Context) (bool, error) {
	return retry(ctx, s, "count terms", func(ctx context.Context) (bool, error) {
		return s.queries.LexicalCount(ctx, s.pool, dbsqlc.LexicalCountParams{Frequent: frequent})
	})
}

// arrayText is the text form of an array of numbers.
func arrayText[T ~int64 | ~int16](numbers []T) string {
	text := []byte{'{'}
	for i, n := range numbers {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(n), 10)
	}
	return string(append(text, '}'))
}
