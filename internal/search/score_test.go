package search_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/search"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// randomMessage returns an error of a few words, the first of which are frequent ones.
func randomMessage(r *rand.Rand) string {
	words := make([]string, 4+r.IntN(8))
	for i := range words {
		words[i] = syllables(int(r.ExpFloat64() * 40))
	}
	return strings.Join(words, " ")
}

// syllables returns a word that is the same for the same number.
func syllables(n int) string {
	h := fnv.New64()
	_, _ = fmt.Fprint(h, n)
	r := rand.New(rand.NewPCG(h.Sum64(), 0)) //nolint:gosec // not a secret
	word := ""
	for range 3 {
		word += string("bdfgklmnprstvz"[r.IntN(14)]) + string("aeiou"[r.IntN(5)])
	}
	return word
}

// newRandomFixture returns a database with random incidents, of two actions and three namespaces.
func newRandomFixture(t *testing.T, incidents int) (fixture, []string) {
	t.Helper()
	f := fixture{database: postgrestest.New(t), models: openModels(t, postgrestest.Dimensions)}
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same incidents in each run
	messages := make([]string, incidents)
	var records []audit.Record
	for i := range messages {
		messages[i] = randomMessage(r)
		for j := range 1 + i%2 {
			records = append(records, &audit.Remediation{
				RemediationID: fmt.Sprintf("r-%d-%d", i, j), Name: "Trouble", Namespace: fmt.Sprint("shop-", i%3), Severity: audit.SeverityUnknown,
				ActionType: []string{"restart_pod", "scale_up"}[j], Phase: audit.PhaseCompleted, Status: audit.StatusSuccess,
				StartTime: time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC), ErrorMessage: &messages[i], Metadata: audit.EmptyMetadata,
			})
		}
	}
	f.appendEntries(t, records...)
	f.tap = postgrestest.NewTap(t, f.database.ReaderURL())
	f.store = openStore(t, f.tap.URL(), "")
	return f, messages
}

func (f fixture) find(t *testing.T, query search.Query) search.Result {
	t.Helper()
	result, err := search.Find(t.Context(), f.store, f.models, query)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestLimitsArePrefixes checks that a smaller limit returns the first results of a larger one, in
// each mode, with and without a filter, for a text and an example.
func TestLimitsArePrefixes(t *testing.T) {
	t.Parallel()
	f, messages := newRandomFixture(t, 300)
	example, err := f.store.Remediation(t.Context(), "r-7-0")
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []search.Mode{search.Hybrid, search.Lexical, search.Semantic} {
		for _, filter := range []audit.Filter{{}, {Namespaces: []string{"shop-1"}}} {
			for _, query := range []search.Query{
				{Text: signature.Normalize(messages[3])}, {Text: syllables(0) + " " + syllables(2)}, {Text: "zzz"}, {Example: &example},
			} {
				query.Mode, query.Filter, query.Newest, query.MinScore = mode, filter, 1, -1
				t.Run(fmt.Sprint(mode, filter.Namespaces, query.Text), func(t *testing.T) {
					t.Parallel()
					f.checkPrefixes(t, query)
				})
			}
		}
	}
}

func (f fixture) checkPrefixes(t *testing.T, query search.Query) {
	t.Helper()
	query.Limit = 100
	all := f.find(t, query).Incidents
	if !slices.IsSortedFunc(all, func(a, b search.Incident) int { return -compareScores(a, b) }) {
		t.Error("not best first")
	}
	for limit := 1; limit <= 50; limit += 1 + limit/4 {
		query.Limit = limit
		got := f.find(t, query).Incidents
		if diff := cmp.Diff(all[:min(limit, len(all))], got); diff != "" {
			t.Errorf("limit %d (-limit 100 +limit %d):\n%s", limit, limit, diff)
		}
	}
}

func compareScores(a, b search.Incident) int {
	switch {
	case a.Score < b.Score:
		return -1
	case a.Score > b.Score:
		return 1
	default:
		return 0
	}
}

// TestNothingSimilar searches for texts that have nothing in common with the incidents, and for
// texts that have.
func TestNothingSimilar(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for text, want := range map[string]bool{
		"10.0.0.5": true, "0b2e1c3a-7d7c-4a62-9d4b-1f0a51d5c7aa": true, "!!!": true, "wing flutter in a supersonic wind tunnel": true,
		"disk is full": false, "image cannot be pulled": false, "certificates have expired": false, "OOMKilled": false,
	} {
		for _, mode := range []search.Mode{search.Hybrid, search.Lexical} {
			query := newQuery(mode)
			query.Text = signature.Normalize(text)
			result := f.find(t, query)
			if result.NothingSimilar != want {
				t.Errorf("%s %q: nothing similar: %v, want %v", mode, text, result.NothingSimilar, want)
			}
			for _, incident := range result.Incidents {
				if want && !incident.Weak() {
					t.Errorf("%s %q: %q has score %v", mode, text, incident.Text, incident.Score)
				}
			}
			query.MinScore = search.WeakScore
			if found := f.find(t, query).Incidents; want != (len(found) == 0) {
				t.Errorf("%s %q: %d incidents of at least %v", mode, text, len(found), query.MinScore)
			}
		}
	}
}

// TestPendingVectors removes vectors at random, and searches for a third of the words of
// incidents: a hybrid search finds them at least as well as words alone, at every share.
func TestPendingVectors(t *testing.T) {
	t.Parallel()
	const incidents = 120
	f, messages := newRandomFixture(t, incidents)
	messages = messages[:40] // are searched for
	words := f.meanReciprocalRank(t, search.Lexical, messages)
	for _, percent := range []int{0, 20, 50, 80, 100} {
		f.keepVectors(t, 100-percent)
		got := f.meanReciprocalRank(t, search.Hybrid, messages)
		t.Logf("%3d %% pending: %.3f, by words %.3f", percent, got, words)
		if got < words {
			t.Errorf("%d %% pending: mean reciprocal rank %.3f, by words alone %.3f", percent, got, words)
		}
	}
}

// keepVectors deletes vectors so that a percentage is left.
func (f fixture) keepVectors(t *testing.T, percent int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.database.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	// The order by hash is random but the same in each run.
	if _, err := conn.Exec(t.Context(), `DELETE FROM embedding WHERE get_byte(decode(md5(signature_id::text), 'hex'), 0) >= $1`, 256*percent/100); err != nil {
		t.Fatal(err)
	}
}

// meanReciprocalRank searches for every third word of each message.
func (f fixture) meanReciprocalRank(t *testing.T, mode search.Mode, messages []string) float64 {
	t.Helper()
	var sum float64
	for _, message := range messages {
		var third []string
		for i, word := range strings.Fields(message) {
			if i%3 == 0 {
				third = append(third, word)
			}
		}
		found := f.find(t, search.Query{Mode: mode, Text: strings.Join(third, " "), Limit: 10, Newest: 1, MinScore: -1}).Incidents
		rank := slices.IndexFunc(found, func(i search.Incident) bool { return strings.Contains(i.Text, message) })
		if rank >= 0 {
			sum += 1 / float64(rank+1)
		}
	}
	return sum / float64(len(messages))
}
