package endtoend_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// TestContractIsOpenAPI validates openapi.yaml against the schema of OpenAPI 3.1.
func TestContractIsOpenAPI(t *testing.T) {
	t.Parallel()
	contract, err := endtoend.LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	if err := contract.Document(); err != nil {
		t.Error(err)
	}
}

// TestContractIsServed checks that the service responds with openapi.yaml, but for its servers.
func TestContractIsServed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want, got map[string]any
	if err := yaml.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	delete(want, "servers")
	served, err := endtoend.New(t, endtoend.Options{}).Client.Contract(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(served, &got); err != nil { // YAML includes JSON
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestContractDetectsBreaches proves that the contract check of every other test can fail.
func TestContractDetectsBreaches(t *testing.T) {
	t.Parallel()
	contract, err := endtoend.LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	const receipt = `{"id":1,"remediation_id":"r","created_at":"2026-01-02T03:04:05Z","embedding":"stored","event_id":"01890a5d-ac96-774b-bcce-b302099a8057","leaf_hash":"x"}`
	const problem = `{"type":"urn:x","title":"x","status":404}`
	for name, c := range map[string]struct {
		method, path string
		status       int
		contentType  string
		body         string
		fine         bool
	}{
		"as documented":              {"POST", "/v1/remediations", 201, "application/json", receipt, true},
		"a problem":                  {"POST", "/v1/remediations", 409, "application/problem+json", problem, true},
		"a problem of no operation":  {"PUT", "/v1/nothing", 404, "application/problem+json", problem, true},
		"a required field missing":   {"POST", "/v1/remediations", 201, "application/json", strings.Replace(receipt, `"id":1,`, "", 1), false},
		"a wrong type":               {"POST", "/v1/remediations", 201, "application/json", strings.Replace(receipt, `"id":1`, `"id":"1"`, 1), false},
		"a number out of range":      {"POST", "/v1/remediations", 201, "application/json", strings.Replace(receipt, `"id":1`, `"id":0`, 1), false},
		"a value outside its set":    {"POST", "/v1/remediations", 201, "application/json", strings.Replace(receipt, "stored", "kept", 1), false},
		"a time that is none":        {"POST", "/v1/remediations", 201, "application/json", strings.Replace(receipt, "2026-01-02T", "2026-13-02T", 1), false},
		"an id that is none":         {"POST", "/v1/remediations", 201, "application/json", strings.Replace(receipt, "01890a5d-", "", 1), false},
		"an undocumented field":      {"POST", "/v1/remediations", 201, "application/json", strings.Replace(receipt, `"id":1`, `"id":1,"x":1`, 1), false},
		"an undocumented status":     {"POST", "/v1/remediations", 202, "application/json", receipt, false},
		"another content type":       {"POST", "/v1/remediations", 201, "text/plain", receipt, false},
		"a problem as plain JSON":    {"POST", "/v1/remediations", 409, "application/json", problem, false},
		"half a problem":             {"POST", "/v1/remediations", 409, "application/problem+json", `{"title":"x","status":409}`, false},
		"a response on no path":      {"GET", "/v1/nothing", 200, "application/json", `{}`, false},
		"a response to another":      {"GET", "/health", 200, "application/json", receipt, false},
		"a body that is no JSON":     {"GET", "/health", 200, "application/json", `{"status":"alive"`, false},
		"a readiness of its own":     {"GET", "/ready", 503, "application/json", `{"status":"unavailable","checks":[]}`, true},
		"a readiness that is absent": {"GET", "/ready", 503, "application/json", `{"status":"unavailable"}`, false},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, "http://localhost"+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response := &http.Response{StatusCode: c.status, Header: http.Header{"Content-Type": {c.contentType}}, Body: io.NopCloser(strings.NewReader(c.body))}
		if err := contract.Response(request, response); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestContractDetectsBadRequests proves the same for requests.
func TestContractDetectsBadRequests(t *testing.T) {
	t.Parallel()
	contract, err := endtoend.LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, path, body string
		fine               bool
	}{
		"as documented":        {"POST", "/v1/remediations", withMembers(recordMembers()), true},
		"with parameters":      {"GET", "/v1/remediations?limit=5&name=x&include_total=true", "", true},
		"a missing field":      {"POST", "/v1/remediations", withMembers(recordMembers(), "name", ""), false},
		"a surplus field":      {"POST", "/v1/remediations", withMembers(recordMembers(), "surplus", "1"), false},
		"a value of no set":    {"POST", "/v1/remediations", withMembers(recordMembers(), "phase", `"done"`), false},
		"a parameter too high": {"GET", "/v1/remediations?limit=5000", "", false},
		"no such path":         {"GET", "/v1/nothing", "", false},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, "http://localhost"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if err := contract.Request(request); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}
