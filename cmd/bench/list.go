package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/datastorage-service/datastorage/client"
)

// Bytes of disk that a row of the list takes with its indexes, and that the write-ahead log and sorting take in addition.
const (
	diskPerRow = 850
	diskSpare  = 8 << 30
)

// A measured page has pageSize rows; the pages before it are skipped in pages of the maximum size.
const (
	pageSize = 100
	walkSize = 1000
)

// benchList measures deep pages of a long list against its first page, both through the handler, by cursor.
func benchList(ctx context.Context, e *benchEnv) (lines []line, err error) {
	if err := e.checkFreeDisk(int64(e.options.rows)*diskPerRow + diskSpare); err != nil {
		return nil, err
	}
	s, err := e.reopenStand(ctx, "bench_list", 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
	if err := s.appendToList(ctx, e.options.rows); err != nil {
		return nil, err
	}
	for _, l := range []struct{ what, query string }{
		{"all", ""},
		{"of one namespace in a hundred", "namespace=shop-3"},
	} {
		measured, err := s.measureList(ctx, l.what, l.query)
		if err != nil {
			return lines, err
		}
		lines = append(lines, measured...)
	}
	return lines, nil
}

func (e *benchEnv) checkFreeDisk(need int64) error {
	free, err := freeDiskBytes(e.dir)
	if err != nil {
		return err
	}
	e.logProgress("list: %d rows take up to %.1f GB of disk below %s, %.1f GB are free", e.options.rows, float64(need)/1e9, e.dir, float64(free)/1e9)
	if free < need {
		return errors.New("not enough disk space; reduce -rows")
	}
	return nil
}

// appendToList stores count remediations of a thousand incidents, unless an earlier run has stored them.
func (s *stand) appendToList(ctx context.Context, count int) error {
	const incidents = 1000
	have, err := s.countRemediations(ctx)
	if err != nil || have == count {
		return err
	}
	if have != 0 {
		return fmt.Errorf("%s holds %d remediations of an earlier run: remove %s", s.database, have, s.dir)
	}
	if err := s.storeSignatures(ctx, incidents); err != nil {
		return err
	}
	s.logProgress("list: store %d remediations", count)
	if err := s.fillRemediations(ctx, count); err != nil {
		return err
	}
	s.logProgress("list: stored")
	return nil
}

// pageDepths returns the numbers of the measured pages.
func pageDepths(pages int) []int {
	var all []int
	for _, page := range []int{10_000, 50_000} {
		if page < pages {
			all = append(all, page)
		}
	}
	if all == nil {
		all = append(all, pages*9/10)
	}
	return all
}

func (s *stand) measureList(ctx context.Context, what, query string) ([]line, error) {
	first, err := listEvent(query, pageSize, "")
	if err != nil {
		return nil, err
	}
	var page client.RemediationList
	counted, err := listEvent(query+"&include_total=true", pageSize, "")
	if err != nil {
		return nil, err
	}
	if err := invokeInto(ctx, s.queryFunction(), counted, &page); err != nil {
		return nil, err
	}
	pages := int(*page.Pagination.Total) / pageSize
	walk := &pageWalker{stand: s, query: query}
	var lines []line
	for _, depth := range pageDepths(pages) {
		deep, err := walk.requestOfPage(ctx, depth)
		if err != nil {
			return lines, err
		}
		measured, err := s.comparePages(ctx, fmt.Sprintf("list: %s, page %d of %d", what, depth, pages), deep, first)
		if err != nil {
			return lines, err
		}
		lines = append(lines, measured)
	}
	return lines, nil
}

// comparePages requests two pages alternately.
func (s *stand) comparePages(ctx context.Context, what string, deep, first []byte) (line, error) {
	ask := func(request []byte) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			return timeSeconds(func() error { return invokeExpecting(ctx, s.queryFunction(), request, 200) })
		}
	}
	times, err := measureAlternately(ctx, s.options.fullOrShort(100, 10)*s.options.rounds, sides{ask(deep), ask(first)})
	if err != nil {
		return line{}, err
	}
	figures := func(times []float64) string {
		return fmt.Sprintf("%s, p95 %s", formatMilliseconds(medianOf(times)), formatMilliseconds(quantileOf(times, 0.95)))
	}
	return line{
		what: what, result: figures(times[0]), floor: figures(times[1]), ratio: medianOf(times[0]) / medianOf(times[1]), goal: goal{most: 1.2},
	}, nil
}

func listEvent(query string, limit int, cursor string) ([]byte, error) {
	const path = "/v1/remediations"
	query = strings.TrimPrefix(fmt.Sprintf("%s&limit=%d", query, limit), "&")
	if cursor != "" {
		query += "&cursor=" + url.QueryEscape(cursor)
	}
	return newGatewayEvent("GET "+path, path, query, "")
}

// pageWalker follows the cursors of a list.
type pageWalker struct {
	*stand
	query  string
	cursor string
	passed int
}

// requestOfPage returns the event that requests a page, counted from 1.
func (w *pageWalker) requestOfPage(ctx context.Context, page int) ([]byte, error) {
	for target := (page - 1) * pageSize; w.passed < target; {
		limit := min(walkSize, target-w.passed)
		request, err := listEvent(w.query, limit, w.cursor)
		if err != nil {
			return nil, err
		}
		var body client.RemediationList
		if err := invokeInto(ctx, w.queryFunction(), request, &body); err != nil {
			return nil, err
		}
		if len(body.Data) != limit || body.Pagination.NextCursor == "" {
			return nil, fmt.Errorf("after %d rows came %d, want %d and more", w.passed, len(body.Data), limit)
		}
		w.cursor = body.Pagination.NextCursor
		w.passed += limit
	}
	return listEvent(w.query, pageSize, w.cursor)
}
