package postgres_test

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

func cosineDistance(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return 1 - dot/math.Sqrt(aa*bb)
}

// nearest computes the distances of all signatures that the filter matches.
func (c *corpus) nearest(query []float32, f audit.Filter) []postgres.Nearest {
	var all []postgres.Nearest
	seen := map[audit.ID]bool{}
	for _, s := range c.matchingRemediations(f) {
		if v, has := c.vectors[s.SignatureID]; has && !seen[s.SignatureID] {
			seen[s.SignatureID] = true
			all = append(all, postgres.Nearest{SignatureID: s.SignatureID, IncidentID: c.incidents[s.SignatureID], Text: c.texts[s.SignatureID], Distance: cosineDistance(query, v)})
		}
	}
	slices.SortFunc(all, func(a, b postgres.Nearest) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), slices.Compare(a.SignatureID[:], b.SignatureID[:]))
	})
	return all
}

// checkNearest compares searches with exact distances. With a filter, few enough remediations match
// for an exact search, which must return the same; without one the store uses the index. It returns the
// numbers of searches by the number of matching signatures, in tens.
func (c *corpus) checkNearest(t *testing.T) map[int]int {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 8))
	found, all := 0, 0
	sizes := map[int]int{}
	for _, f := range c.filters(random, 60) {
		query := randomVector(random)
		limit := 1 + random.IntN(20)
		want := c.nearest(query, f)
		sizes[min(len(want), 30)/10]++
		want = want[:min(limit, len(want))]
		got, err := c.Nearest(t.Context(), query, f, limit)
		if err != nil {
			t.Fatal(err)
		}
		if !f.All() {
			if diff := gocmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-6), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%+v (-want +got):\n%.2000s", f, diff)
			}
			continue
		}
		if len(got) != len(want) {
			t.Errorf("%d found, want %d", len(got), len(want))
		}
		found += countCommon(want, got)
		all += len(want)
	}
	for range 30 {
		query := randomVector(random)
		want := c.nearest(query, audit.Filter{})[:10]
		got, err := c.Nearest(t.Context(), query, audit.Filter{}, 10)
		if err != nil || len(got) != 10 {
			t.Fatalf("%d found (%v), want 10", len(got), err)
		}
		if !slices.IsSortedFunc(got, func(a, b postgres.Nearest) int { return cmp.Compare(a.Distance, b.Distance) }) {
			t.Errorf("not nearest first: %+v", got)
		}
		found += countCommon(want, got)
		all += len(want)
	}
	if recall := float64(found) / float64(all); recall < 0.97 {
		t.Errorf("recall %.3f by the index, want 0.97", recall)
	}
	return sizes
}

func countCommon(want, got []postgres.Nearest) int {
	n := 0
	for _, w := range want {
		if slices.ContainsFunc(got, func(g postgres.Nearest) bool { return g.SignatureID == w.SignatureID }) {
			n++
		}
	}
	return n
}

// checkRetrieve checks that both retrievers together return what each returns alone.
func (c *corpus) checkRetrieve(t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(11, 12))
	query := lexical.Parse("restart the pod: out of memory, connection refused, 磁盘")
	for _, f := range c.filters(random, 20) {
		vector, limit := randomVector(random), 1+random.IntN(20)
		got, err := c.Retrieve(t.Context(), vector, query, f, limit)
		if err != nil {
			t.Fatal(err)
		}
		nearest, nearestErr := c.Nearest(t.Context(), vector, f, limit)
		scorer, statistics, weighErr := c.Weigh(t.Context(), query)
		byWords, lexicalErr := c.Lexical(t.Context(), scorer, statistics, f, limit)
		if err := errors.Join(nearestErr, weighErr, lexicalErr); err != nil {
			t.Fatal(err)
		}
		want := postgres.Retrieved{Nearest: nearest, Lexical: byWords, Scorer: scorer}
		if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(lexical.Scorer{})); diff != "" {
			t.Errorf("%+v (-each alone +both):\n%.2000s", f, diff)
		}
	}
}

// checkLexical compares searches with the scores of all signatures that the filter matches, and
// returns the numbers of searches by the number of matching signatures, in tens.
func (c *corpus) checkLexical(t *testing.T) map[int]int {
	t.Helper()
	random := rand.New(rand.NewPCG(13, 14))
	scorer, statistics, err := c.Weigh(t.Context(), lexical.Parse("restart the pod: out of memory, connection refused, 磁盘"))
	if err != nil {
		t.Fatal(err)
	}
	scoreOf := map[audit.ID]float64{}
	for id, text := range c.texts {
		_, scoreOf[id] = scorer.Score(lexical.Analyze(text))
	}
	sizes := map[int]int{}
	for _, f := range c.filters(random, 40) {
		limit := 1 + random.IntN(20)
		scores := map[audit.ID]float64{}
		for _, s := range c.matchingRemediations(f) {
			if raw := scoreOf[s.SignatureID]; raw > 0 {
				scores[s.SignatureID] = raw
			}
		}
		want := slices.SortedFunc(maps.Values(scores), func(a, b float64) int { return cmp.Compare(b, a) })
		sizes[min(len(want), 30)/10]++
		want = want[:min(limit, len(want))]
		found, err := c.Lexical(t.Context(), scorer, statistics, f, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		for _, id := range found {
			got = append(got, scores[id])
		}
		// Scores, because those that differ by rounding alone may come in any order.
		if diff := gocmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v (-want +got):\n%.2000s", f, diff)
		}
	}
	return sizes
}

func (c *corpus) checkIncidents(t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(9, 10))
	incidents := c.incidentIDs()
	several := 0
	for _, f := range c.filters(random, 40) {
		var asked []audit.ID
		for _, i := range random.Perm(len(incidents))[:20] {
			asked = append(asked, incidents[i])
		}
		newest := random.IntN(5)
		got, err := c.Incidents(t.Context(), asked, f, postgres.IncidentOptions{Newest: newest, Workflows: true})
		if err != nil {
			t.Fatal(err)
		}
		want := map[audit.ID]*postgres.Incident{}
		for _, s := range c.matchingRemediations(f) {
			if incident := c.incidents[s.SignatureID]; slices.Contains(asked, incident) {
				countIn(want, incident, s, newest)
			}
		}
		for id, of := range want {
			slices.SortFunc(of.Actions, func(a, b postgres.ActionCounts) int { return cmp.Compare(a.ActionType, b.ActionType) })
			if len(of.Signatures) > 1 {
				several++
			}
			c.mostFrequentFirst(t, f, got[id])
		}
		byID := cmpopts.SortSlices(func(a, b audit.ID) bool { return slices.Compare(a[:], b[:]) < 0 })
		if diff := diffOf(want, got, cmpopts.EquateEmpty(), byID); diff != "" {
			t.Errorf("%+v (-want +got):\n%.3000s", f, diff)
		}
	}
	if several == 0 {
		t.Error("the test has no incident of several signatures")
	}
}

// mostFrequentFirst checks the order of an incident's signatures.
func (c *corpus) mostFrequentFirst(t *testing.T, f audit.Filter, of *postgres.Incident) {
	t.Helper()
	if of == nil {
		return
	}
	times := map[audit.ID]int{}
	for _, s := range c.matchingRemediations(f) {
		times[s.SignatureID]++
	}
	if !slices.IsSortedFunc(of.Signatures, func(a, b audit.ID) int { return cmp.Compare(times[b], times[a]) }) {
		t.Errorf("%+v: signatures %v are not ordered by frequency: %v", f, of.Signatures, times)
	}
}

// countIn counts a remediation. Remediations arrive newest first.
func countIn(all map[audit.ID]*postgres.Incident, incident audit.ID, s audit.Stored, newest int) {
	of := all[incident]
	if of == nil {
		of = &postgres.Incident{}
		all[incident] = of
	}
	of.Counts = addToCounts(of.Counts, s)
	if !slices.Contains(of.Signatures, s.SignatureID) {
		of.Signatures = append(of.Signatures, s.SignatureID)
	}
	i := slices.IndexFunc(of.Actions, func(a postgres.ActionCounts) bool { return a.ActionType == s.ActionType })
	if i < 0 {
		i = len(of.Actions)
		of.Actions = append(of.Actions, postgres.ActionCounts{ActionType: s.ActionType})
	}
	of.Actions[i].Counts = addToCounts(of.Actions[i].Counts, s)
	// Without the long texts and the columns that a search does not return.
	workflow := s.WorkflowYAML
	s.ErrorMessage, s.WorkflowYAML, s.Metadata, s.AlertFingerprint, s.Actor = nil, nil, "", nil, ""
	s.CreatedAt, s.UpdatedAt = time.Time{}, time.Time{}
	if len(of.Newest) < newest {
		of.Newest = append(of.Newest, s)
	}
	if of.Solved == nil && s.Status == audit.StatusSuccess {
		s.WorkflowYAML = workflow
		of.Solved = &s
	}
}

func addToCounts(c postgres.Counts, s audit.Stored) postgres.Counts {
	if c.Total == 0 {
		c.LastSeen = s.StartTime
	}
	c.Total++
	c.FirstSeen = s.StartTime
	switch s.Status {
	case audit.StatusSuccess:
		c.Outcome.Success++
	case audit.StatusFailure:
		c.Outcome.Failure++
	}
	return c
}

func TestNearestNeedsTheModel(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	if _, err := store.Nearest(t.Context(), []float32{1, 2, 3}, audit.Filter{}, 10); err == nil || kindsOf(err) != nil {
		t.Errorf("a query of three dimensions: %v", err)
	}
	other := openStoreWith(t, postgres.Config{URL: db.WriterURL(), Model: "other"})
	if _, err := other.Nearest(t.Context(), numberedVector(1), audit.Filter{}, 10); !errors.Is(err, postgres.ErrModelUnknown) {
		t.Errorf("an unknown model: %v", err)
	}
}

// TestNearestDetectsADroppedModel drops a model that a store has cached and registers it again: the
// store must not return an empty result.
func TestNearestDetectsADroppedModel(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	first := minimalRemediation("r1")
	store.mustAppend(t, postgres.Vectors{newEntry(t, first).Signature.ID: numberedVector(1)}, first)
	nearest := func() ([]postgres.Nearest, error) {
		return store.Nearest(t.Context(), numberedVector(1), audit.Filter{}, 10)
	}
	if found, err := nearest(); err != nil || len(found) != 1 {
		t.Fatalf("found %d, %v", len(found), err)
	}
	for _, change := range []func() error{
		func() error { return migrations.RegisterModel(t.Context(), db.AdminURL(), "other", 64) },
		func() error {
			_, err := migrations.ActivateModel(t.Context(), db.AdminURL(), "other", true)
			return err
		},
		func() error { return migrations.DropModel(t.Context(), db.AdminURL(), postgrestest.Model) },
		func() error {
			return migrations.RegisterModel(t.Context(), db.AdminURL(), postgrestest.Model, postgrestest.Dimensions)
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := nearest(); !errors.Is(err, postgres.ErrModelUnknown) {
		t.Errorf("a model that was dropped and registered again: %v", err)
	}
	if active, err := store.ActiveModel(t.Context()); err != nil || active != "other" {
		t.Errorf("active is %s, %v", active, err)
	}
	if found, err := nearest(); err != nil || len(found) != 0 {
		t.Errorf("found %d in the new model, %v", len(found), err)
	}
}
