package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// TestEveryCommandIsComplete walks the command tree: each command has a description, an example whose flags exist, completion of its
// arguments and flags, and --json.
func TestEveryCommandIsComplete(t *testing.T) {
	t.Parallel()
	root := newRoot(&app{})
	var walk func(command *cobra.Command)
	walk = func(command *cobra.Command) {
		// Not in parallel: reading the flags of a command merges those of its parents.
		t.Run(command.CommandPath(), func(t *testing.T) {
			if command.Short == "" || command.Example == "" {
				t.Errorf("short %q, example %q", command.Short, command.Example)
			}
			for _, flag := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(command.Example, -1) {
				if !anyHasFlag(root, flag[1]) {
					t.Errorf("the example has the flag --%s, which does not exist", flag[1])
				}
			}
			if command != root && command.ValidArgsFunction == nil && command.ValidArgs == nil {
				t.Error("its arguments have no completion")
			}
			if command.InheritedFlags().Lookup("json") == nil && command.PersistentFlags().Lookup("json") == nil {
				t.Error("it has no flag --json")
			}
			command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
				if _, has := command.GetFlagCompletionFunc(flag.Name); !has && flag.Name != "help" && flag.Name != "version" {
					t.Errorf("--%s has no completion", flag.Name)
				}
			})
		})
		for _, child := range command.Commands() {
			walk(child)
		}
	}
	walk(root)
}

// TestFiltersAreThoseOfTheContract compares the table of filter flags with the fields of the three inputs that take filters.
func TestFiltersAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	contract := reflect.TypeFor[client.SearchFilters]()
	flags := filterFlags()
	if len(flags) != contract.NumField() {
		t.Errorf("the command line has %d filters, the contract %d", len(flags), contract.NumField())
	}
	for _, filter := range flags {
		field, known := contract.FieldByName(filter.field)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !known || strings.ReplaceAll(name, "_", "-") != filter.name {
			t.Errorf("--%s: the contract's field %s is named %q", filter.name, filter.field, name)
		}
		value := "x"
		var list client.ListRemediationsParams
		var similar client.FindSimilarParams
		filterValues{filter.field: &value}.copyTo(&list)
		filterValues{filter.field: &value}.copyTo(&similar)
		if reflect.ValueOf(list).FieldByName(filter.field).String() != value || reflect.ValueOf(similar).FieldByName(filter.field).String() != value {
			t.Errorf("--%s does not reach the parameters of list and similar", filter.name)
		}
	}
}

// TestGetShowsEveryField counts the fields that get prints.
func TestGetShowsEveryField(t *testing.T) {
	t.Parallel()
	a := &app{out: new(console.Stream)}
	if shown, all := len(a.remediationFields(client.Remediation{})), reflect.TypeFor[client.Remediation]().NumField(); shown != all {
		t.Errorf("get prints %d fields, the contract has %d", shown, all)
	}
}

func anyHasFlag(root *cobra.Command, name string) bool {
	if root.Flags().Lookup(name) != nil || root.InheritedFlags().Lookup(name) != nil {
		return true
	}
	return slices.ContainsFunc(root.Commands(), func(command *cobra.Command) bool { return anyHasFlag(command, name) })
}

// result is the result of a command line.
type result struct {
	code        int
	out, stderr string
}

// runOn executes a command line in this process, against the service at url.
func runOn(ctx context.Context, url string, terminal bool, in *os.File, args ...string) result {
	var out, stderr bytes.Buffer
	env := map[string]string{"DATASTORAGE_URL": url, "DATASTORAGE_TOKEN": "t0ken"}
	a := &app{
		in:     in,
		out:    &console.Stream{Writer: &out, Terminal: terminal},
		talk:   &console.Stream{Writer: &stderr, Terminal: terminal},
		getenv: func(name string) string { return env[name] },
	}
	code := a.runCommandLine(ctx, args)
	return result{code, out.String(), stderr.String()}
}

func TestWithoutIdentity(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Anonymous: true})
	for _, line := range []string{"list", "get r-1", "history r-1", "search x"} {
		got := runOn(t.Context(), stack.URL, false, nil, strings.Fields(line)...)
		if got.code != exitForbidden || got.out != "" || !strings.Contains(got.stderr, "try: export DATASTORAGE_TOKEN=") {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestTokenIsSent(t *testing.T) {
	t.Parallel()
	var seen atomic.Value
	service := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("Authorization") + " " + r.Header.Get("User-Agent"))
		_, _ = io.WriteString(w, `{"data":[],"pagination":{"limit":100,"has_more":false}}`)
	})
	if got := runOn(t.Context(), service, false, nil, "list"); got.code != exitDone || seen.Load() != "Bearer t0ken datastorage-cli" {
		t.Errorf("%+v, the service saw %q", got, seen.Load())
	}
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// TestHostileResponsesDoNotReachTheTerminal sends control sequences in every field of a response.
func TestHostileResponsesDoNotReachTheTerminal(t *testing.T) {
	t.Parallel()
	const evil = "\\u001b]0;owned\\u0007\u009b31m\u202e\u0085\\u0000"
	remediation := fmt.Sprintf(`"id":1,"remediation_id":"%[1]s","name":"%[1]s","namespace":"%[1]s","error_message":"a\n%[1]s",`+
		`"workflow_yaml":"%[1]s","actor":"%[1]s","metadata":{"k":"%[1]s"},"phase":"%[1]s","truncated":["%[1]s"],`+
		`"executions":[{"execution_id":"%[1]s","error_message":"%[1]s"}]`, evil)
	responses := map[string]string{
		"/v1/remediations":         `{"data":[{` + remediation + `}],"pagination":{"has_more":true,"next_cursor":"` + evil + `"}}`,
		"/v1/remediations/x":       `{` + remediation + `}`,
		"/v1/remediations/history": `{"data":[{"event_id":"` + evil + `","kind":"` + evil + `"}],"pagination":{}}`,
		"/v1/search": `{"data":[{"explain":{"lexical":{"terms":[{"term":"` + evil + `","spans":[{"start":-5,"end":-2},{"start":9,"end":2},` +
			`{"start":5,"end":99999}]}]}},"text":"` + evil + `","actions":[{"action_type":"` + evil + `"}],"remediations":[{"remediation_id":"` +
			evil + `"}]}],"search":{"degraded":["` + evil + `"]}}`,
	}
	service := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		path := strings.TrimSuffix(r.URL.Path, "/x/history")
		if path != r.URL.Path {
			path += "/history"
		}
		body, known := responses[path]
		if !known {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			body = `{"type":"t","title":"` + evil + `","detail":"` + evil + `"}`
		}
		_, _ = io.WriteString(w, body)
	})
	for _, line := range []string{"list", "get x", "history x", "search x", "search x --explain", "get refused"} {
		for _, json := range []string{"", " --json"} {
			t.Run(line+json, func(t *testing.T) {
				t.Parallel()
				got := runOn(t.Context(), service, true, nil, strings.Fields(line+json)...)
				if strings.ContainsAny(got.out+got.stderr, "\x1b\x07\x00\u009b\u202e\u0085") {
					t.Errorf("unsafe: %q %q", got.out, got.stderr)
				}
				if !strings.Contains(got.out+got.stderr, "owned") {
					t.Errorf("the text is missing: %q %q", got.out, got.stderr)
				}
			})
		}
	}
}

func TestJSONIntoAPipeIsUnchanged(t *testing.T) {
	t.Parallel()
	const body = "{ \"data\": [],\n\t\"pagination\" : {\"has_more\":false, \"new\": \"\u009b\"}}"
	service := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	if got := runOn(t.Context(), service, false, nil, "list", "--json"); got != (result{exitDone, body + "\n", ""}) {
		t.Errorf("%d %q %q", got.code, got.out, got.stderr)
	}
}

func TestForgedJournalIsReported(t *testing.T) {
	t.Parallel()
	service := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":[{"event_id":"e-1","canonical":"{}","leaf_hash":"00"}],"pagination":{}}`)
	})
	got := runOn(t.Context(), service, false, nil, "history", "r-1")
	if got.code != exitFailed || !strings.Contains(got.out, "\tNO\t") || !strings.Contains(got.stderr, "journal entry e-1") {
		t.Errorf("%+v", got)
	}
}

func TestFailedImportIsPartlyDone(t *testing.T) {
	t.Parallel()
	var batches atomic.Int32
	service := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/health":
			_, _ = io.WriteString(w, `{"status":"alive"}`)
		case batches.Add(1) == 1:
			result := `{"index":0,"status":201}`
			_, _ = io.WriteString(w, `{"results":[`+result+strings.Repeat(","+result, 499)+`]}`)
		default:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"type":"urn:datastorage:problem:internal","title":"Internal error","status":500}`)
		}
	})
	file := filepath.Join(t.TempDir(), "records.ndjson")
	if err := os.WriteFile(file, bytes.Repeat([]byte("{}\n"), 600), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runOn(t.Context(), service, false, nil, "import", file, "--jobs", "1", "--json")
	if got.code != exitPartly || got.out != `{"records":500,"stored":500,"already_there":0,"refused":0}`+"\n" {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(got.stderr, "why: 500 Internal error") || !strings.Contains(got.stderr, "again: it continues") {
		t.Errorf("%s", got.stderr)
	}
}

// TestInterruptedImport reads from a pipe that stays empty: only the interruption ends the command.
func TestInterruptedImport(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	service := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"alive"}`)
		cancel()
	})
	in, typing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = typing.Close() })
	got := runOn(ctx, service, false, in, "import", "-")
	if got.code != exitInterrupted || !strings.Contains(got.stderr, "datastorage: interrupted") {
		t.Errorf("%+v", got)
	}
}

func TestInterruptedReads(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"list", "get x", "history x", "search x", "migrate --database-url postgres://127.0.0.1:1/x"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			service := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				cancel()
				_, _ = io.Copy(io.Discard, r.Body) // net/http notices only now that the caller has gone.
				<-r.Context().Done()
			})
			if strings.HasPrefix(line, "migrate") {
				cancel()
			}
			if got := runOn(ctx, service, false, nil, strings.Fields(line)...); got.code != exitInterrupted || got.out != "" {
				t.Errorf("%+v", got)
			}
		})
	}
}
