package endtoend_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// newestRemediation returns the remediation that is written while the replica is behind.
func newestRemediation() client.RemediationInput {
	record := minimalRecord("news")
	record.Name, record.ErrorMessage = "VolumeFull", new("no space is left on the volume")
	return record
}

// visibilityByRead maps each read to a function that reports whether the read returns newestRemediation.
func visibilityByRead(api *client.Client) map[string]func(context.Context) (bool, error) {
	const name = "VolumeFull"
	found := func(err error) (bool, error) {
		if errors.Is(err, client.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	search := func(mode client.SearchMode) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			found, err := api.Search(ctx, client.SearchInput{Query: "no space is left on the volume", Mode: &mode})
			return err == nil && slices.ContainsFunc(found.Data, func(r client.SearchResult) bool {
				return slices.ContainsFunc(r.Remediations, func(s client.RemediationSummary) bool { return s.RemediationID == "news" })
			}), err
		}
	}
	return map[string]func(context.Context) (bool, error){
		"get": func(ctx context.Context) (bool, error) { _, err := api.GetRemediation(ctx, "news"); return found(err) },
		"history": func(ctx context.Context) (bool, error) {
			_, err := api.History(ctx, "news", client.GetHistoryParams{})
			return found(err)
		},
		"similar": func(ctx context.Context) (bool, error) {
			_, err := api.Similar(ctx, "news", client.FindSimilarParams{})
			return found(err)
		},
		"list": func(ctx context.Context) (bool, error) {
			page, err := api.ListRemediations(ctx, client.ListRemediationsParams{Name: name})
			return err == nil && len(page.Data) == 1, err
		},
		"incident events": func(ctx context.Context) (bool, error) {
			page, err := api.IncidentEvents(ctx, client.ListIncidentEventsParams{AlertName: name})
			return err == nil && len(page.Data) == 1, err
		},
		"lexical search": search(client.SearchModeLexical), "semantic search": search(client.SearchModeSemantic), "search": search(client.SearchModeHybrid),
		"success rate": func(ctx context.Context) (bool, error) {
			rates, err := api.SuccessRate(ctx, client.GetSuccessRateParams{GroupBy: client.DimensionName, Name: name})
			return err == nil && len(rates.Data) == 1, err
		},
		"trend": func(ctx context.Context) (bool, error) {
			trend, err := api.Trend(ctx, client.GetTrendParams{
				Interval: client.IntervalDay, Name: name, Since: "2026-01-01T00:00:00Z", Until: "2026-01-04T00:00:00Z",
			})
			return err == nil && slices.ContainsFunc(trend.Data, func(b client.TrendBucket) bool { return b.Total == 1 }), err
		},
	}
}

func wantSight(t *testing.T, what string, api *client.Client, want bool) {
	t.Helper()
	for operation, sees := range visibilityByRead(api) {
		if saw, err := sees(t.Context()); saw != want || err != nil {
			t.Errorf("%s, %s: returns the new remediation: %v, %v", what, operation, saw, err)
		}
	}
}

// newStackWithLaggingReplica returns a stack with three remediations, whose query function reads from a streaming
// replica that is an hour behind.
func newStackWithLaggingReplica(t *testing.T) (*endtoend.Stack, *pgserver.Server) {
	t.Helper()
	server := postgrestest.NewServer(t)
	before := endtoend.New(t, endtoend.Options{Server: server})
	for _, id := range []string{"a", "b", "c"} {
		createRecord(t, before, minimalRecord(id))
	}
	replica := postgrestest.NewReplica(t, server, time.Hour)
	return endtoend.New(t, endtoend.Options{Database: before.Database, Env: map[string]string{
		"DATASTORAGE_DATABASE_READER_URL": replica.URL(pgserver.ReaderRole, before.Database.Name),
	}}), replica
}

// TestConsistency reads a new record with each operation from the primary, from a replica
// that is behind, and while the replica is down.
func TestConsistency(t *testing.T) {
	t.Parallel()
	stack, replica := newStackWithLaggingReplica(t)
	createRecord(t, stack, newestRemediation())
	wantSight(t, "eventual", stack.Client, false)
	wantSight(t, "strong", stack.Client.Strong(), true)
	ready := allChecksOK()
	ready["reader"] = "ok"
	wantReadiness(t, stack, client.ReadinessStatusReady, ready)
	postgrestest.CatchUp(t, replica)
	eventually(t, "the replica to catch up", func() bool {
		_, err := stack.Client.GetRemediation(t.Context(), "news")
		return err == nil
	})
	wantSight(t, "eventual, when the replica has caught up", stack.Client, true)
	if err := replica.Stop(); err != nil {
		t.Fatal(err)
	}
	ready["reader"] = "failed"
	wantReadiness(t, stack, client.ReadinessStatusUnavailable, ready)
	wantSight(t, "strong, without the replica", stack.Client.Strong(), true)
	for operation, sees := range visibilityByRead(stack.Client) {
		if _, err := sees(t.Context()); !errors.Is(err, client.ErrUnavailable) {
			t.Errorf("eventual, without the replica: %s: %v", operation, err)
		}
	}
}

// TestPagesOfEitherConsistency starts paging on the replica and continues on the primary,
// and the reverse: a cursor is valid on both.
func TestPagesOfEitherConsistency(t *testing.T) {
	t.Parallel()
	stack, _ := newStackWithLaggingReplica(t)
	createRecord(t, stack, newestRemediation())
	for name, c := range map[string]struct{ first, then *client.Client }{
		"strong, then eventual": {stack.Client.Strong(), stack.Client},
		"eventual, then strong": {stack.Client, stack.Client.Strong()},
	} {
		var ids []string
		params := client.ListRemediationsParams{Namespace: "shop", Name: "KubePodCrashLooping", Limit: 1}
		api := c.first
		for {
			page, err := api.ListRemediations(t.Context(), params)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, r := range page.Data {
				ids = append(ids, r.RemediationID)
			}
			if !page.Pagination.HasMore {
				break
			}
			params.Cursor, api = page.Pagination.NextCursor, c.then
		}
		if got := strings.Join(ids, ""); got != "cba" {
			t.Errorf("%s: %s", name, got)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, stack.URL+"/v1/remediations?limit=1&consistency=strong", nil)
	if err != nil {
		t.Fatal(err)
	}
	page, err := stack.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	if link := page.Header.Get("Link"); !strings.Contains(link, "consistency=strong") {
		t.Errorf("the next page of a strong read: %s", link)
	}
}
