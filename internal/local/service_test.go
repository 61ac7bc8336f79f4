package local

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/program"
)

// curlRequests returns the requests of the curl commands in the banner.
func curlRequests(t *testing.T, banner string) []*http.Request {
	t.Helper()
	var all []*http.Request
	for _, match := range regexp.MustCompile(`curl -s (\S+)(?: -H '([^']*)' -d '([^']*)')?\n`).FindAllStringSubmatch(banner, -1) {
		url, header, body := match[1], match[2], match[3]
		r := newRequest(t, http.MethodGet, url, "")
		if body != "" {
			r = newRequest(t, http.MethodPost, url, body)
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
		}
		all = append(all, r)
	}
	return all
}

// TestStackBanner runs the commands of the banner, and runs them again.
func TestStackBanner(t *testing.T) {
	t.Parallel()
	dir := stackDir(t)
	root, err := program.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	template, err := os.ReadFile(filepath.Join(filepath.Dir(root), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	service := Service(func(string) string { return "" }, slog.New(slog.DiscardHandler), nil)
	for run, created := range []int{http.StatusCreated, http.StatusOK} {
		r := startStack(t, StackConfig{Dir: dir, Template: template, Functions: service})
		commands := curlRequests(t, r.out.String())
		if len(commands) != 3 {
			t.Fatalf("the banner has %d commands, want 3: %s", len(commands), r.out)
		}
		for at, status := range []int{created, http.StatusOK, http.StatusOK} {
			response, body := sendRequest(t, commands[at])
			if response.StatusCode != status {
				t.Errorf("run %d: %s %s: %d %s, want %d", run, commands[at].Method, commands[at].URL, response.StatusCode, body, status)
			}
			if at == 2 {
				checkSearchFinds(t, body, "KubePodCrashLooping")
			}
		}
		getBody(t, r.api+"/ready")
		r.stopStack(t)
	}
	checkNothingRuns(t, dir)
}

// checkSearchFinds checks that a search response contains name.
func checkSearchFinds(t *testing.T, body, name string) {
	t.Helper()
	var response struct {
		Data []struct {
			Text        string
			Occurrences int
		}
	}
	if err := json.Unmarshal([]byte(body), &response); err != nil {
		t.Fatal(err)
	}
	if len(response.Data) != 1 || response.Data[0].Occurrences != 1 || !strings.Contains(strings.ToLower(response.Data[0].Text), strings.ToLower(name)) {
		t.Errorf("search returned %s, want one remediation", body)
	}
}
