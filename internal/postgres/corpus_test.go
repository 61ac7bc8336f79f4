package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// corpus is a database of random remediations, with a copy of its content in memory.
type corpus struct {
	tapped
	db *postgrestest.Database
	// stored is ordered as lists are: start_time descending, id descending.
	stored []audit.Stored
	// vectors, texts and incidents belong to the signatures, of which some have no vector.
	vectors   postgres.Vectors
	texts     map[audit.ID]string
	incidents map[audit.ID]audit.ID
}

// pickWord draws one of the words. The first is the most frequent, the last is rare.
func pickWord[T any](random *rand.Rand, words ...T) T {
	n := float64(len(words))
	return words[min(len(words)-1, int(n*random.Float64()*random.Float64()))]
}

func optionally[T any](random *rand.Rand, value T) *T {
	if random.IntN(4) == 0 {
		return nil
	}
	return &value
}

func randomRemediation(random *rand.Rand, i int) *audit.Remediation {
	// Few distinct times, so that many remediations share one.
	begin := start.Add(time.Duration(random.IntN(200)) * time.Hour)
	return &audit.Remediation{
		RemediationID:    fmt.Sprintf("r%05d 磁盘", i),
		Name:             pickWord(random, "PodCrashLooping", "DiskFull", "قرص ممتلئ", "NodeNotReady", "Latency, high", "rare alert"),
		Namespace:        pickWord(random, "shop", "payments", "متجر", "ดิสก์", "%", "rare namespace"),
		ClusterName:      optionally(random, pickWord(random, "eu-1", "us-1", "ap-1", "rare cluster")),
		Environment:      optionally(random, pickWord(random, audit.Environments()...)),
		Severity:         pickWord(random, audit.Severities()...),
		AlertFingerprint: optionally(random, fmt.Sprintf("print %d 💾", pickWord(random, 1, 2, 3, 4, 5, 6, 7, 8))),
		ActionType:       pickWord(random, "restart_pod", "scale_up", "drain", "delete_jobs", "rare action"),
		TargetResource:   optionally(random, pickWord(random, "pod/a", "deployment/b", "node/c", "pvc/d")),
		Phase:            pickWord(random, audit.Phases()...),
		Status:           pickWord(random, audit.Statuses()...),
		StartTime:        begin,
		EndTime:          optionally(random, begin.Add(time.Minute)),
		ErrorMessage:     optionally(random, pickWord(random, "out of memory", "no space left", "connection refused", "it's broken; DROP TABLE")),
		WorkflowYAML:     optionally(random, pickWord(random, "run: delete the jobs", "run: restart it", "# nothing to do")),
	}
}

func newCorpus(tb testing.TB, n int) *corpus {
	tb.Helper()
	return newCorpusOf(tb, n, randomRemediation)
}

func newCorpusOf(tb testing.TB, n int, generate func(*rand.Rand, int) *audit.Remediation) *corpus {
	tb.Helper()
	db := postgrestest.New(tb)
	random := rand.New(rand.NewPCG(1, 2))
	c := &corpus{tapped: openStore(tb, db.WriterURL()), db: db, vectors: postgres.Vectors{}, texts: map[audit.ID]string{}, incidents: map[audit.ID]audit.ID{}}
	for begin := 0; begin < n; begin += 500 {
		var batch []audit.Entry
		for i := begin; i < min(begin+500, n); i++ {
			batch = append(batch, newEntry(tb, generate(random, i)))
		}
		c.add(tb, random, batch)
	}
	c.sort()
	return c
}

// sort orders stored as lists are.
func (c *corpus) sort() {
	slices.SortFunc(c.stored, func(a, b audit.Stored) int {
		return cmp.Or(b.StartTime.Compare(a.StartTime), cmp.Compare(b.ID, a.ID))
	})
}

func (c *corpus) add(tb testing.TB, random *rand.Rand, batch []audit.Entry) {
	tb.Helper()
	for _, e := range batch {
		// One in twenty has no vector.
		if _, known := c.texts[e.Signature.ID]; !known && random.IntN(20) > 0 {
			c.vectors[e.Signature.ID] = randomVector(random)
		}
		c.texts[e.Signature.ID] = e.Signature.Text
		c.incidents[e.Signature.ID] = e.Signature.IncidentID
	}
	written, err := c.Append(tb.Context(), batch, withVectors(c.vectors))
	if err != nil {
		tb.Fatal(err)
	}
	for i, w := range written {
		if w.Err != nil {
			tb.Fatal(w.Err)
		}
		c.stored = append(c.stored, audit.Stored{
			Remediation: *batch[i].Record.(*audit.Remediation), ID: w.ID, SignatureID: batch[i].Signature.ID, Actor: "tester",
			CreatedAt: batch[i].RecordedAt, UpdatedAt: batch[i].RecordedAt,
		})
	}
}

// incidentIDs returns the incidents in ascending order.
func (c *corpus) incidentIDs() []audit.ID {
	return slices.Compact(slices.SortedFunc(maps.Values(c.incidents), func(a, b audit.ID) int { return slices.Compare(a[:], b[:]) }))
}

// randomVector returns a vector of eighths, which half precision represents exactly.
func randomVector(random *rand.Rand) []float32 {
	v := make([]float32, postgrestest.Dimensions)
	for i := range v {
		v[i] = float32(random.IntN(33)-16) / 8
	}
	return v
}

// filterFields returns, for each field of a filter, how it compares with a remediation and how a
// test sets it.
func filterFields() []filterField {
	text := func(value func(*audit.Stored) *string, field func(*audit.Filter) *[]string) filterField {
		return filterField{
			has: func(f audit.Filter) bool { return *field(&f) != nil },
			matches: func(f *audit.Filter, s *audit.Stored) bool {
				v := value(s)
				return v != nil && slices.Contains(*field(f), *v)
			},
			add: func(f *audit.Filter, s *audit.Stored) {
				v := "no such value"
				if of := value(s); of != nil {
					v = *of
				}
				*field(f) = append(*field(f), v)
			},
		}
	}
	return []filterField{
		text(func(s *audit.Stored) *string { return &s.RemediationID }, func(f *audit.Filter) *[]string { return &f.RemediationIDs }),
		text(func(s *audit.Stored) *string { return &s.Name }, func(f *audit.Filter) *[]string { return &f.Names }),
		text(func(s *audit.Stored) *string { return &s.Namespace }, func(f *audit.Filter) *[]string { return &f.Namespaces }),
		text(func(s *audit.Stored) *string { return (*string)(&s.Phase) }, func(f *audit.Filter) *[]string { return &f.Phases }),
		text(func(s *audit.Stored) *string { return (*string)(&s.Status) }, func(f *audit.Filter) *[]string { return &f.Statuses }),
		text(func(s *audit.Stored) *string { return (*string)(&s.Severity) }, func(f *audit.Filter) *[]string { return &f.Severities }),
		text(func(s *audit.Stored) *string { return (*string)(s.Environment) }, func(f *audit.Filter) *[]string { return &f.Environments }),
		text(func(s *audit.Stored) *string { return s.ClusterName }, func(f *audit.Filter) *[]string { return &f.ClusterNames }),
		text(func(s *audit.Stored) *string { return &s.ActionType }, func(f *audit.Filter) *[]string { return &f.ActionTypes }),
		text(func(s *audit.Stored) *string { return s.AlertFingerprint }, func(f *audit.Filter) *[]string { return &f.AlertFingerprints }),
		text(func(s *audit.Stored) *string { return s.TargetResource }, func(f *audit.Filter) *[]string { return &f.TargetResources }),
		{
			has:     func(f audit.Filter) bool { return f.IDs != nil },
			matches: func(f *audit.Filter, s *audit.Stored) bool { return slices.Contains(f.IDs, s.ID) },
			add:     func(f *audit.Filter, s *audit.Stored) { f.IDs = append(f.IDs, s.ID) },
		},
		{
			has:     func(f audit.Filter) bool { return f.SignatureIDs != nil },
			matches: func(f *audit.Filter, s *audit.Stored) bool { return slices.Contains(f.SignatureIDs, s.SignatureID) },
			add:     func(f *audit.Filter, s *audit.Stored) { f.SignatureIDs = append(f.SignatureIDs, s.SignatureID) },
		},
		{
			has:     func(f audit.Filter) bool { return f.Since != nil },
			matches: func(f *audit.Filter, s *audit.Stored) bool { return !s.StartTime.Before(*f.Since) },
			add:     func(f *audit.Filter, s *audit.Stored) { f.Since = &s.StartTime },
		},
		{
			has:     func(f audit.Filter) bool { return f.Until != nil },
			matches: func(f *audit.Filter, s *audit.Stored) bool { return s.StartTime.Before(*f.Until) },
			add:     func(f *audit.Filter, s *audit.Stored) { f.Until = &s.StartTime },
		},
	}
}

type filterField struct {
	has     func(audit.Filter) bool
	matches func(*audit.Filter, *audit.Stored) bool
	// add makes the filter match the remediation if it has a value.
	add func(*audit.Filter, *audit.Stored)
}

// matchingRemediations returns the remediations that a filter matches, ordered as lists are.
func (c *corpus) matchingRemediations(f audit.Filter) []audit.Stored {
	fields := slices.DeleteFunc(filterFields(), func(field filterField) bool { return !field.has(f) })
	var left []audit.Stored
	for i := range c.stored {
		s := &c.stored[i] // copying them all takes most of the time
		if !slices.ContainsFunc(fields, func(field filterField) bool { return !field.matches(&f, s) }) {
			left = append(left, *s)
		}
	}
	return left
}

// filters returns filters of every field alone, with one value and with three, of every two fields,
// and of random combinations.
func (c *corpus) filters(random *rand.Rand, combinations int) []audit.Filter {
	randomRow := func() *audit.Stored { return new(c.stored[random.IntN(len(c.stored))]) }
	filters := []audit.Filter{{}}
	fields := filterFields()
	for i, field := range fields {
		var single, several audit.Filter
		field.add(&single, randomRow())
		for range 3 {
			field.add(&several, randomRow())
		}
		filters = append(filters, single, several)
		for _, second := range fields[i+1:] {
			// Both values are from one remediation, so that at least that one matches.
			var pair audit.Filter
			s := randomRow()
			field.add(&pair, s)
			second.add(&pair, s)
			filters = append(filters, pair)
		}
	}
	for range combinations {
		var f audit.Filter
		s := randomRow()
		for _, i := range random.Perm(len(fields))[:3+random.IntN(3)] {
			fields[i].add(&f, s)
			fields[i].add(&f, randomRow())
		}
		filters = append(filters, f)
	}
	return filters
}

// readAllPages reads all pages, and calls between after each.
func readAllPages(ctx context.Context, c *corpus, f audit.Filter, p audit.PageRequest, between func(page int)) ([]audit.Stored, error) {
	var all []audit.Stored
	for n := 0; ; n++ {
		page, err := c.List(ctx, f, p)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Data...)
		if !page.HasMore {
			return all, nil
		}
		if len(page.Data) == 0 || len(all) > 10*len(c.stored)+100 {
			return nil, fmt.Errorf("page %d has %d rows after %d, and HasMore", n, len(page.Data), len(all))
		}
		last := page.Data[len(page.Data)-1]
		p.After = &audit.Position{Time: last.StartTime, ID: last.ID}
		between(n)
	}
}
