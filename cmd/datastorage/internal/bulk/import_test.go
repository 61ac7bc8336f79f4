package bulk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/bulk"
)

// service is a substitute for the API: it stores each record once, by its id, and refuses records and requests as the API does.
type service struct {
	mu       sync.Mutex
	stored   map[string]bool
	requests int
	// bytes and records are the largest of any request.
	bytes, records int
	underWay, most atomic.Int32
}

type record struct {
	ID   string `json:"id"`
	Bad  bool   `json:"bad"`
	Ugly string `json:"ugly"`
}

func (s *service) send(_ context.Context, texts []json.RawMessage) ([]client.BatchResult, error) {
	s.most.Store(max(s.most.Load(), s.underWay.Add(1)))
	defer s.underWay.Add(-1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	records, size, err := parseBatch(texts)
	if err != nil {
		return nil, err
	}
	s.bytes, s.records = max(s.bytes, size), max(s.records, len(records))
	results := make([]client.BatchResult, len(records))
	for i, record := range records {
		switch {
		case record.Bad:
			problem := refusalOf(fmt.Sprintf("records[%d].bad", i), "must not be true").Problem
			results[i] = client.BatchResult{Index: i, Status: 400, Problem: &problem}
		case s.stored[record.ID]:
			results[i] = client.BatchResult{Index: i, Status: 200}
		default:
			s.stored[record.ID] = true
			results[i] = client.BatchResult{Index: i, Status: 201}
		}
	}
	return results, nil
}

// parseBatch refuses the whole request for one record, before anything is stored.
func parseBatch(texts []json.RawMessage) (records []record, size int, err error) {
	for i, text := range texts {
		size += len(text) + 1
		var record record
		switch err := json.Unmarshal(text, &record); {
		case err != nil:
			return nil, 0, refusalOf("records", "not a record")
		case record.Ugly == "named":
			return nil, 0, refusalOf(fmt.Sprintf("records[%d].ugly", i), "twice")
		case record.Ugly == "unnamed":
			return nil, 0, refusalOf("", "somewhere")
		}
		records = append(records, record)
	}
	return records, size, nil
}

func refusalOf(field, detail string) *client.Error {
	return &client.Error{StatusCode: 400, Problem: client.Problem{
		Type: "urn:x", Title: "Invalid", Status: 400, Errors: []client.FieldError{{Field: field, Code: "c", Detail: detail}},
	}}
}

func newService() *service { return &service{stored: map[string]bool{}} }

// runImport imports input and returns the summary, the refusals and the last progress.
func runImport(t *testing.T, send bulk.Sender, input io.Reader, inFlight int) (bulk.Summary, []bulk.Refusal, bulk.Progress, error) {
	t.Helper()
	var refusals []bulk.Refusal
	var last bulk.Progress
	summary, err := bulk.Import(t.Context(), input, bulk.Config{
		Send: send, InFlight: inFlight,
		Refused:  func(r bulk.Refusal) error { refusals = append(refusals, r); return nil },
		Progress: func(p bulk.Progress) { last = p },
	})
	return summary, refusals, last, err
}

func numberedLines(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "{\"id\":\"r-%d\"}\n", i)
	}
	return text.String()
}

func TestEveryRecordIsSentOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 499, 500, 501, 2600} {
		for _, inFlight := range []int{1, 4} {
			t.Run(fmt.Sprintf("%d records, %d in flight", n, inFlight), func(t *testing.T) {
				t.Parallel()
				s, input := newService(), numberedLines(n)
				summary, refusals, last, err := runImport(t, s.send, strings.NewReader(input), inFlight)
				if err != nil || refusals != nil {
					t.Fatal(err, refusals)
				}
				want := bulk.Summary{Records: int64(n), Stored: int64(n)}
				if diff := cmp.Diff(want, summary); diff != "" || len(s.stored) != n {
					t.Errorf("%d stored: %s", len(s.stored), diff)
				}
				if last.Bytes != int64(len(input)) {
					t.Errorf("progress ends at %d of %d bytes", last.Bytes, len(input))
				}
				if s.records > client.MaxBatch || s.requests != (n+499)/500 || s.most.Load() > int32(inFlight) {
					t.Errorf("%d requests of up to %d records, %d at once", s.requests, s.records, s.most.Load())
				}
				again, _, _, err := runImport(t, s.send, strings.NewReader(input), inFlight)
				if diff := cmp.Diff(bulk.Summary{Records: int64(n), AlreadyThere: int64(n)}, again); diff != "" || err != nil {
					t.Errorf("again: %v %s", err, diff)
				}
			})
		}
	}
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	s := newService()
	var input strings.Builder
	for i := range 12 {
		fmt.Fprintf(&input, "{\"id\":\"r-%d\",\"text\":%q}\n", i, strings.Repeat("x", 900_000))
	}
	summary, _, _, err := runImport(t, s.send, strings.NewReader(input.String()), 2)
	if err != nil || summary.Stored != 12 {
		t.Fatal(summary, err)
	}
	if s.bytes > 4_000_000 || s.requests != 3 {
		t.Errorf("%d requests of up to %d bytes", s.requests, s.bytes)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	input := strings.Join([]string{
		"\ufeff" + `{"id":"a"}`,
		``,
		`{"id":"b","bad":true}`,
		`not JSON`,
		`  ` + "\r",
		`{"id":"c","ugly":"named"}`,
		`{"id":"d","ugly":"unnamed"}` + "\r",
		`[]`,
		`{"id":"long","text":"` + strings.Repeat("x", 3_000_000) + `"}`,
		`{"id":"e","ugly":"named"}`,
		`{"id":"f"}`, // The last line may lack its line break.
	}, "\n")
	s := newService()
	summary, refusals, _, err := runImport(t, s.send, strings.NewReader(input), 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bulk.Summary{Records: 9, Stored: 2, Refused: 7}, summary); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, refusal := range refusals {
		text, err := json.Marshal(refusal)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	problem := func(field, detail string) string {
		return `"problem":{"errors":[{"code":"c","detail":"` + detail + `","field":"` + field + `"}],"status":400,` +
			`"title":"Invalid","type":"urn:x"}}`
	}
	local := `"problem":{"detail":"%s","status":0,"title":"%s","type":""}}`
	want := []string{
		`{"line":3,"record":{"id":"b","bad":true},` + problem("bad", "must not be true"),
		`{"line":4,"record":"not JSON",` + fmt.Sprintf(local, "Each line must be one JSON object.", "The line is not JSON"),
		`{"line":6,"record":{"id":"c","ugly":"named"},` + problem("ugly", "twice"),
		`{"line":7,"record":{"id":"d","ugly":"unnamed"},` + problem("", "somewhere"),
		`{"line":8,"record":[],` + problem("records", "not a record"),
		`{"line":9,"record":null,` + fmt.Sprintf(local, "A record has at most 3000000 bytes.", "The line is too long"),
		`{"line":10,"record":{"id":"e","ugly":"named"},` + problem("ugly", "twice"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// endless is an input without an end that counts the bytes read.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	const record = `{"id":"r"}` + "\n"
	at := e.read.Add(int64(len(p))) - int64(len(p))
	for i := range p {
		p[i] = record[(at+int64(i))%int64(len(record))]
	}
	return len(p), nil
}

func TestReadingAheadIsBounded(t *testing.T) {
	t.Parallel()
	const perBatch, inFlight = 500 * 11, 3
	input := &endless{}
	started := make(chan struct{}, 100)
	release := make(chan struct{})
	stop := errors.New("enough")
	send := func(context.Context, []json.RawMessage) ([]client.BatchResult, error) {
		started <- struct{}{}
		<-release
		return nil, stop
	}
	go func() {
		for range inFlight {
			<-started
		}
		close(release)
	}()
	summary, _, _, err := runImport(t, send, input, inFlight)
	if !errors.Is(err, stop) || summary.Records != 0 {
		t.Errorf("%+v, %v", summary, err)
	}
	// One more batch is made while the others are in progress, and the reader holds up to 64 KiB.
	if most := int64((inFlight+1)*perBatch + 64<<10); input.read.Load() > most {
		t.Errorf("%d bytes read ahead, want at most %d", input.read.Load(), most)
	}
}

func TestErrorsEndTheImport(t *testing.T) {
	t.Parallel()
	unavailable := &client.Error{StatusCode: 503, Problem: client.Problem{Title: "Unavailable"}}
	full := errors.New("disk full")
	broken := errors.New("unplugged")
	tests := []struct {
		name  string
		input io.Reader
		fail  func(s *service, config *bulk.Config)
		want  error
		// stored is what the summary counts.
		stored int64
	}{
		{"the service goes away", strings.NewReader(numberedLines(1200)), func(s *service, config *bulk.Config) {
			config.Send = func(ctx context.Context, records []json.RawMessage) ([]client.BatchResult, error) {
				if s.requests == 1 {
					return nil, unavailable
				}
				return s.send(ctx, records)
			}
		}, client.ErrUnavailable, 500},
		{"refusals cannot be kept", strings.NewReader(`{"id":"a"}` + "\n" + `{"bad":true}`), func(_ *service, config *bulk.Config) {
			config.Refused = func(bulk.Refusal) error { return full }
		}, full, 1},
		{"the input breaks", io.MultiReader(strings.NewReader(numberedLines(700)), failing{broken}), func(*service, *bulk.Config) {}, broken, -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newService()
			config := bulk.Config{
				Send: s.send, InFlight: 1, Refused: func(bulk.Refusal) error { return nil }, Progress: func(bulk.Progress) {},
			}
			test.fail(s, &config)
			summary, err := bulk.Import(t.Context(), test.input, config)
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if test.stored >= 0 && summary.Stored != test.stored {
				t.Errorf("%d counted as stored, want %d", summary.Stored, test.stored)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestCancellation(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := bulk.Import(ctx, &endless{}, bulk.Config{
		Send: func(ctx context.Context, _ []json.RawMessage) ([]client.BatchResult, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		},
		InFlight: 4, Refused: func(bulk.Refusal) error { return nil }, Progress: func(bulk.Progress) {},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := func() bulk.Config {
		return bulk.Config{
			Send: newService().send, InFlight: 1, Refused: func(bulk.Refusal) error { return nil }, Progress: func(bulk.Progress) {},
		}
	}
	tests := map[string]func(*bulk.Config){
		"Send":     func(c *bulk.Config) { c.Send = nil },
		"InFlight": func(c *bulk.Config) { c.InFlight = 0 },
		"Refused":  func(c *bulk.Config) { c.Refused = nil },
		"Progress": func(c *bulk.Config) { c.Progress = nil },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good()
			spoil(&config)
			if _, err := bulk.Import(t.Context(), strings.NewReader(""), config); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v does not name %s", err, name)
			}
		})
	}
}
