package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func remediationIDs(stored []audit.Stored) []string {
	ids := make([]string, len(stored))
	for i, s := range stored {
		ids[i] = s.RemediationID
	}
	return ids
}

// TestQueriesAgainstBruteForce compares lists, searches and counts with a computation in Go, for
// every filter, alone and combined.
func TestQueriesAgainstBruteForce(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 2000)
	c.checkFilters(t)
	c.checkCursor(t)
	c.checkOffset(t)
	c.checkIncidentEvents(t)
	nearest := c.checkNearest(t)
	c.checkRetrieve(t)
	for _, sizes := range []map[int]int{nearest, c.checkLexical(t)} {
		if len(sizes) != 4 {
			t.Errorf("matching signatures, in tens: %v; want filters of every selectivity", sizes)
		}
	}
	c.checkIncidents(t)
	// Last, because it adds to the corpus.
	c.checkCursorUnderWrites(t)
}

func (c *corpus) checkFilters(t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	empty := 0
	for _, f := range c.filters(random, 150) {
		want := c.matchingRemediations(f)
		if len(want) == 0 {
			empty++
		}
		limit := 1 + random.IntN(100)
		page, err := c.List(t.Context(), f, audit.PageRequest{Limit: limit, Total: true})
		if err != nil {
			t.Fatal(err)
		}
		first := want[:min(limit, len(want))]
		if diff := diffOf(first, page.Data, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v (-want +got):\n%.2000s", f, diff)
		}
		if *page.Total != int64(len(want)) || page.HasMore != (len(want) > limit) {
			t.Errorf("%+v: total %d, has more %v, want %d of %d", f, *page.Total, page.HasMore, limit, len(want))
		}
	}
	if empty > 100 {
		t.Errorf("%d filters match nothing: the corpus is too small", empty)
	}
}

// checkCursor checks that pages of any size, in both directions, have every row once and in order,
// although many rows share a start_time.
func (c *corpus) checkCursor(t *testing.T) {
	t.Helper()
	few := audit.Filter{Severities: []string{"critical"}, Phases: []string{"pending"}, Namespaces: []string{"payments"}}
	for _, step := range []struct {
		filter audit.Filter
		limits []int
	}{
		{audit.Filter{}, []int{37, 1000}}, {audit.Filter{Namespaces: []string{"shop", "%"}}, []int{7, 999}}, {few, []int{1, 2, 10}},
	} {
		for _, limit := range step.limits {
			for _, ascending := range []bool{false, true} {
				want := c.matchingRemediations(step.filter)
				if ascending {
					slices.Reverse(want)
				}
				got, err := readAllPages(t.Context(), c, step.filter, audit.PageRequest{Limit: limit, Ascending: ascending}, func(int) {})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(remediationIDs(want), remediationIDs(got)); diff != "" || len(want) == 0 {
					t.Errorf("%+v ascending %v by %d (-want +got):\n%.2000s", step.filter, ascending, limit, diff)
				}
			}
		}
	}
}

func (c *corpus) checkOffset(t *testing.T) {
	t.Helper()
	for _, ascending := range []bool{false, true} {
		want := c.matchingRemediations(audit.Filter{})
		if ascending {
			slices.Reverse(want)
		}
		var got []audit.Stored
		for offset := 0; ; offset += 99 {
			page, err := c.List(t.Context(), audit.Filter{}, audit.PageRequest{Limit: 99, Offset: offset, Ascending: ascending})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Data...)
			if !page.HasMore {
				break
			}
		}
		if diff := cmp.Diff(remediationIDs(want), remediationIDs(got)); diff != "" {
			t.Errorf("ascending %v (-want +got):\n%.2000s", ascending, diff)
		}
	}
	for _, offset := range []int{2000, 1 << 40} {
		page, err := c.List(t.Context(), audit.Filter{}, audit.PageRequest{Limit: 99, Offset: offset, Total: true})
		if err != nil || len(page.Data) != 0 || page.HasMore || *page.Total != 2000 {
			t.Errorf("after the end at %d: %d rows, %+v (%v)", offset, len(page.Data), page, err)
		}
	}
}

// checkCursorUnderWrites checks that no row is missed or repeated if rows are inserted before the
// first page while the pages are read.
func (c *corpus) checkCursorUnderWrites(t *testing.T) {
	t.Helper()
	for _, ascending := range []bool{false, true} {
		want := remediationIDs(c.matchingRemediations(audit.Filter{}))
		if ascending {
			slices.Reverse(want)
		}
		before, n := time.Hour*1000, 0
		if ascending {
			before = -before
		}
		got, err := readAllPages(t.Context(), c, audit.Filter{}, audit.PageRequest{Limit: 100, Ascending: ascending}, func(page int) {
			for range 5 {
				record := minimalRemediation(fmt.Sprint("new ", ascending, n))
				record.StartTime = start.Add(before)
				n++
				c.mustAppend(t, nil, record)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if n < 50 {
			t.Errorf("%d rows were inserted, want 5 a page", n)
		}
		if ascending {
			// This list includes the rows that were inserted for the other direction.
			got = slices.DeleteFunc(got, func(s audit.Stored) bool { return strings.HasPrefix(s.RemediationID, "new") })
		}
		if diff := cmp.Diff(want, remediationIDs(got)); diff != "" {
			t.Errorf("ascending %v (-want +got):\n%.2000s", ascending, diff)
		}
	}
}

func (c *corpus) checkIncidentEvents(t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(5, 6))
	newest := slices.Clone(c.stored)
	slices.SortFunc(newest, func(a, b audit.Stored) int {
		if by := b.CreatedAt.Compare(a.CreatedAt); by != 0 {
			return by
		}
		return int(b.ID - a.ID)
	})
	for range 10 {
		a, b := newest[random.IntN(len(newest))], newest[random.IntN(len(newest))]
		f := postgres.IncidentFilter{}
		if random.IntN(2) == 0 {
			f.AlertNames = []string{a.Name, b.Name}
		}
		if random.IntN(2) == 0 {
			f.Namespaces = []string{a.Namespace}
		}
		if random.IntN(2) == 0 {
			f.WorkflowStatuses = []string{string(a.Status), string(b.Status)}
		}
		if random.IntN(2) == 0 {
			f.Since = &a.CreatedAt
		}
		if random.IntN(2) == 0 {
			f.Until = &b.CreatedAt
		}
		var want []audit.IncidentEvent
		for _, s := range newest {
			if incidentMatches(f, s) {
				want = append(want, c.incidentEvent(s))
			}
		}
		got := c.incidentEvents(t, f)
		const whole = 30 // comparing vectors is slow
		if diff := diffOf(want[:min(whole, len(want))], got[:min(whole, len(got))], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v (-want +got):\n%.2000s", f, diff)
		}
		same := func(a, b audit.IncidentEvent) bool { return a.ID == b.ID }
		if !slices.EqualFunc(want, got, same) {
			t.Errorf("%+v: %d events, want %d, or others", f, len(got), len(want))
		}
	}
}

func incidentMatches(f postgres.IncidentFilter, s audit.Stored) bool {
	return (f.AlertNames == nil || slices.Contains(f.AlertNames, s.Name)) &&
		(f.Namespaces == nil || slices.Contains(f.Namespaces, s.Namespace)) &&
		(f.WorkflowStatuses == nil || slices.Contains(f.WorkflowStatuses, string(s.Status))) &&
		(f.Since == nil || !s.CreatedAt.Before(*f.Since)) && (f.Until == nil || s.CreatedAt.Before(*f.Until))
}

func (c *corpus) incidentEvent(s audit.Stored) audit.IncidentEvent {
	event := audit.IncidentEvent{
		ID: s.ID, RemediationID: s.RemediationID, AlertName: s.Name, Namespace: s.Namespace, WorkflowStatus: s.Status,
		WorkflowYAML: s.WorkflowYAML, ErrorMessage: s.ErrorMessage, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		Embedding: c.vectors[s.SignatureID],
	}
	if s.TargetResource != nil {
		if pod, is := strings.CutPrefix(*s.TargetResource, "pod/"); is {
			event.PodName = &pod
		}
	}
	return event
}

// incidentEvents reads all pages.
func (c *corpus) incidentEvents(t *testing.T, f postgres.IncidentFilter) []audit.IncidentEvent {
	t.Helper()
	var all []audit.IncidentEvent
	var after *audit.Position
	for {
		page, err := c.IncidentEvents(t.Context(), f, 250, after)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Data...)
		if !page.HasMore {
			return all
		}
		last := page.Data[len(page.Data)-1]
		after = &audit.Position{Time: last.CreatedAt, ID: last.ID}
	}
}

// TestPagesAreBoundedInBytes checks that pages end early once their records hold 4 MiB of text, and
// that no row is lost.
func TestPagesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	const n, size = 50, 200 << 10
	db := postgrestest.New(t)
	c := &corpus{tapped: openStore(t, db.WriterURL()), db: db}
	var want []string
	for i := range n {
		record := minimalRemediation(fmt.Sprintf("r%02d", i))
		record.StartTime = start.Add(time.Duration(i) * time.Second)
		record.WorkflowYAML = new(strings.Repeat("y", size))
		c.mustAppend(t, nil, record)
		want = append(want, record.RemediationID)
	}
	for _, ascending := range []bool{true, false} {
		got, err := readAllPages(t.Context(), c, audit.Filter{}, audit.PageRequest{Limit: 30, Ascending: ascending}, func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, remediationIDs(got)); diff != "" {
			t.Errorf("ascending %v (-want +got):\n%s", ascending, diff)
		}
		page, err := c.List(t.Context(), audit.Filter{}, audit.PageRequest{Limit: 30, Ascending: ascending, Total: true})
		if err != nil || len(page.Data) != postgres.PageBytes/size || !page.HasMore || *page.Total != n {
			t.Errorf("the first page has %d records, more %v (%v)", len(page.Data), page.HasMore, err)
		}
		slices.Reverse(want)
	}
	events := c.incidentEvents(t, postgres.IncidentFilter{})
	if len(events) != n {
		t.Errorf("%d incident events, want %d", len(events), n)
	}
	first, err := c.IncidentEvents(t.Context(), postgres.IncidentFilter{}, 30, nil)
	if err != nil || len(first.Data) != postgres.PageBytes/size || !first.HasMore {
		t.Errorf("the first page has %d incident events, more %v (%v)", len(first.Data), first.HasMore, err)
	}
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	store := openStore(t, postgrestest.New(t).WriterURL())
	var want []audit.HistoryEntry
	write := func(record audit.Record) {
		e := newEntry(t, record)
		written, err := store.Append(t.Context(), []audit.Entry{e}, nil)
		if err != nil || written[0].Err != nil {
			t.Fatal(err, written)
		}
		want = append(want, audit.HistoryEntry{
			Kind: e.Kind, Actor: e.Actor, EventID: e.EventID, RecordedAt: e.RecordedAt, LeafHash: audit.LeafHash(e.Canonical()),
			Canonical: string(e.Canonical()),
		})
	}
	write(minimalRemediation("r"))
	for i := range 20 {
		update := toError("r", unicode+fmt.Sprint(i))
		update.WorkflowYAML = audit.Optional[string]{Set: true, Value: new(strings.Repeat("y", 250<<10))}
		write(update)
	}
	write(fullAnalysis("r", "a"))
	write(fullWorkflow("r", "w"))
	write(fullExecution("r", "w", "e"))
	store.mustAppend(t, nil, fullRemediation("another"))
	for _, limit := range []int{1, 5, 100} {
		var got []audit.HistoryEntry
		var after *audit.HistoryPosition
		for {
			page, err := store.History(t.Context(), "r", limit, after)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Data...)
			if len(page.Data) == 0 || limit == 100 && after == nil && (!page.HasMore || len(page.Data) > 17) {
				t.Fatalf("a page of %d entries, more %v", len(page.Data), page.HasMore)
			}
			if !page.HasMore {
				break
			}
			last := page.Data[len(page.Data)-1]
			after = &audit.HistoryPosition{RecordedAt: last.RecordedAt, EventID: last.EventID}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by %d (-want +got):\n%.2000s", limit, diff)
		}
	}
}

func TestChildrenAreBounded(t *testing.T) {
	t.Parallel()
	store := openStore(t, postgrestest.New(t).WriterURL())
	store.mustAppend(t, nil, minimalRemediation("few"), minimalRemediation("many"), minimalRemediation("large"))
	var records []audit.Record
	for i := range postgres.ChildLimit + 1 {
		records = append(records, minimalAnalysis("many", fmt.Sprint(i)))
	}
	store.mustAppend(t, nil, records...)
	for i := range 20 {
		child := minimalExecution("large", "w", fmt.Sprintf("%02d", i))
		child.ErrorMessage = new(strings.Repeat("e", 64<<10))
		store.mustAppend(t, nil, child, minimalWorkflow("large", fmt.Sprint(i)))
	}
	for id, want := range map[string]struct {
		analyses, workflows, executions int
		truncated                       []audit.Kind
	}{
		"few": {}, "nobody": {}, "many": {analyses: postgres.ChildLimit, truncated: []audit.Kind{audit.KindAIAnalysis}},
		"large": {workflows: 20, executions: 15, truncated: []audit.Kind{audit.KindExecution}},
	} {
		got, err := store.Children(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.AIAnalyses) != want.analyses || len(got.Workflows) != want.workflows || len(got.Executions) != want.executions ||
			!slices.Equal(got.Truncated, want.truncated) {
			t.Errorf("%s: %d, %d, %d, truncated %v, want %+v", id, len(got.AIAnalyses), len(got.Workflows), len(got.Executions),
				got.Truncated, want)
		}
	}
}

func TestMissingRecords(t *testing.T) {
	t.Parallel()
	store := openStore(t, postgrestest.New(t).WriterURL())
	if _, err := store.Remediation(t.Context(), "nobody"); !cmp.Equal([]string{"not found"}, kindsOf(err)) {
		t.Errorf("a remediation: %v", err)
	}
	if _, err := store.History(t.Context(), "nobody", 10, nil); !cmp.Equal([]string{"not found"}, kindsOf(err)) {
		t.Errorf("a history: %v", err)
	}
	page, err := store.List(t.Context(), audit.Filter{}, audit.PageRequest{Limit: 10, Total: true})
	if err != nil || page.Data == nil || len(page.Data) != 0 || page.HasMore || *page.Total != 0 {
		t.Errorf("a list: %+v (%v)", page, err)
	}
	if nearest, err := store.Nearest(t.Context(), numberedVector(1), audit.Filter{}, 10); err != nil || len(nearest) != 0 {
		t.Errorf("a search: %+v (%v)", nearest, err)
	}
	if found, err := store.Incidents(t.Context(), []audit.ID{{1}}, audit.Filter{}, postgres.IncidentOptions{Newest: 3}); err != nil || len(found) != 0 {
		t.Errorf("occurrences: %+v (%v)", found, err)
	}
}
