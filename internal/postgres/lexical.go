package postgres

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

const (
	// minSignatures is the minimum number of signatures for which a search uses the count of the
	// last maintenance run. Counting that many takes 2 ms.
	minSignatures = 20_000
	// minFrequent is the minimum number of signatures with a term for a maintenance run to count
	// it. Searches count the other terms, and the words of locations, up to maxCounted. A word of
	// as many locations is not searched for: it says little and would cost much.
	minFrequent = 1_000
	maxCounted  = 5_000
	// maxPostings is the number of inverted-index entries that a search reads to find candidates,
	// rarest terms first. The frequent terms that it omits hardly change the order, and are
	// included when the candidates are scored.
	maxPostings = 50_000
	// maxHybridPostings is the same for a hybrid search. It may be lower, because the semantic
	// retriever finds what contains all of the query's frequent terms and none of its rare ones.
	maxHybridPostings = 8_000
	// maxFew is the largest number of matching remediations for which a search reads the terms of
	// their signatures instead of the inverted index.
	maxFew = 2_000
)

// Weigh weights the terms of a query by how rare they are among the signatures.
func (s *Store) Weigh(ctx context.Context, query lexical.Query) (*lexical.Scorer, lexical.Statistics, error) {
	statistics, err := retry(ctx, s, "count terms", func(ctx context.Context) (lexical.Statistics, error) {
		total, err := s.queries.LexicalStatistics(ctx, s.pool, dbsqlc.LexicalStatisticsParams{MinSignatures: minSignatures})
		if err != nil {
			return lexical.Statistics{}, err
		}
		counted, err := s.queries.LexicalFrequencies(ctx, s.pool, dbsqlc.LexicalFrequenciesParams{
			Terms: termNumbers(query.Terms()), Words: query.Words(), MaxCount: maxCounted,
		})
		statistics := lexical.Statistics{
			Signatures: total.Signatures, MeanLength: total.MeanLength, Holding: map[lexical.Term]int64{}, Located: map[string]int64{},
		}
		for _, row := range counted {
			switch {
			case row.Word == "":
				statistics.Holding[lexical.Term(row.Term)] = row.Signatures
			case row.Signatures < maxCounted:
				statistics.Located[row.Word] = row.Signatures
			}
		}
		return statistics, err
	})
	return lexical.NewScorer(query, statistics), statistics, err
}

func termNumbers(terms []lexical.Term) []int64 {
	numbers := make([]int64, len(terms))
	for i, term := range terms {
		numbers[i] = int64(term)
	}
	return numbers
}

// Lexical returns up to limit signatures that contain a term of the query, or occurred at a location
// with one of its words in the name, and have a remediation
// that matches the filter, best score first: fewer than limit only if fewer exist. The order may
// ignore frequent terms; Candidates returns the data for a full score.
func (s *Store) Lexical(
	ctx context.Context, scorer *lexical.Scorer, statistics lexical.Statistics, f audit.Filter, limit int,
) ([]audit.ID, error) {
	matches, err := s.countMatches(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.searchLexical(ctx, scorer, statistics, f, matches, maxPostings, limit)
}

// searchLexical implements Lexical for a filter that the given number of remediations match. It
// reads at most postings entries of the index first, and more only if these yield fewer than limit
// signatures.
func (s *Store) searchLexical(
	ctx context.Context, scorer *lexical.Scorer, statistics lexical.Statistics, f audit.Filter, matches, postings int64, limit int,
) ([]audit.ID, error) {
	if len(scorer.Terms) == 0 && len(scorer.Locations) == 0 {
		return nil, nil
	}
	return retry(ctx, s, "search lexically", func(ctx context.Context) ([]audit.ID, error) {
		if matches <= maxFew {
			return s.searchLexicalFew(ctx, scorer, f, limit)
		}
		for ; ; postings *= 8 {
			rarest := *scorer
			rarest.Terms = rarestTerms(scorer.Terms, postings, func(t lexical.QueryTerm) int64 { return statistics.Holding[t.Term] })
			rarest.Locations = rarestTerms(scorer.Locations, postings, func(t lexical.QueryTerm) int64 { return statistics.Located[t.Text] })
			params := lexicalParams(&rarest, f, limit)
			params.Exact = matches <= maxExact
			rows, err := s.queries.SearchLexical(ctx, s.pool, params)
			if err == nil && len(rows) < limit && len(rarest.Terms)+len(rarest.Locations) < len(scorer.Terms)+len(scorer.Locations) {
				continue
			}
			found := make([]audit.ID, len(rows))
			for i, row := range rows {
				found[i] = row.SignatureID
			}
			return found, err
		}
	})
}

// searchLexicalFew scores all signatures that match by all terms.
func (s *Store) searchLexicalFew(ctx context.Context, scorer *lexical.Scorer, f audit.Filter, limit int) ([]audit.ID, error) {
	params := lexicalParams(scorer, f, limit)
	rows, err := s.queries.SearchLexicalFew(ctx, s.pool, dbsqlc.SearchLexicalFewParams{
		Filter: params.Filter, Flat: params.Flat, Slope: params.Slope, PageSize: params.PageSize,
		Terms: params.Terms, Weights: params.Weights, Words: params.Words, Parts: params.Parts,
	})
	found := make([]audit.ID, len(rows))
	for i, row := range rows {
		found[i] = row.SignatureID
	}
	return found, err
}

// rarestTerms returns the rarest terms that have maximum index entries together, but at least one.
// holding returns the number of a term's entries.
func rarestTerms(terms []lexical.QueryTerm, maximum int64, holding func(lexical.QueryTerm) int64) []lexical.QueryTerm {
	sorted := slices.SortedStableFunc(slices.Values(terms), func(a, b lexical.QueryTerm) int {
		return cmp.Compare(holding(a), holding(b))
	})
	var entries int64
	for i, term := range sorted {
		if entries += holding(term); entries > maximum && i > 0 {
			return sorted[:i]
		}
	}
	return sorted
}

func lexicalParams(scorer *lexical.Scorer, f audit.Filter, limit int) dbsqlc.SearchLexicalParams {
	params := dbsqlc.SearchLexicalParams{
		Filter: filterJSON(f), Resources: countedBy(f),
		Flat: scorer.Flat, Slope: scorer.Slope, PageSize: int64(limit),
	}
	for _, term := range scorer.Terms {
		params.Terms = append(params.Terms, int64(term.Term))
		params.Weights = append(params.Weights, term.Weight)
	}
	for _, location := range scorer.Locations {
		params.Words = append(params.Words, location.Text)
		params.Parts = append(params.Parts, location.Weight/lexical.TopScore)
	}
	return params
}

// Unanalyzed returns signatures without terms, or with terms of an older analyzer.
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

// Analyze stores the terms of signatures, and returns how many lacked them.
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

// CountTerms updates the counts that searches weight terms by, if enough has changed since the last
// count, and returns whether it did.
func (s *Store) CountTerms(ctx context.Context) (bool, error) {
	return retry(ctx, s, "count terms", func(ctx context.Context) (bool, error) {
		return s.queries.LexicalCount(ctx, s.pool, dbsqlc.LexicalCountParams{Frequent: minFrequent})
	})
}

// formatArray formats numbers as a PostgreSQL array literal.
func formatArray[T ~int64 | ~int16](numbers []T) string {
	text := []byte{'{'}
	for i, n := range numbers {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(n), 10)
	}
	return string(append(text, '}'))
}
