package api

import (
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// TestBasePath checks paths under a stage and under the base path of a domain. API Gateway decodes
// them.
func TestBasePath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ route, path, want string }{
		{"POST /v1/remediations", "/v1/remediations", ""},
		{"POST /v1/remediations", "/dev/v1/remediations", "/dev"},
		{"POST /v1/remediations", "/über uns/audit/v1/remediations", "/%C3%BCber%20uns/audit"},
		{"POST /v1/remediations/{remediation_id}/workflows", "/dev/v1/remediations/v1/workflows", "/dev"},
		{"POST /v1/remediations/{remediation_id}/workflows", "/v1/remediations/a b/workflows", ""},
		{"$default", "/dev/x", "/dev/x"},
		{"GET /v1/remediations", "", ""},
	} {
		r := &Request{event: events.APIGatewayV2HTTPRequest{RouteKey: c.route, RawPath: c.path}}
		if got := r.basePath(); got != c.want {
			t.Errorf("%s at %s: %q, want %q", c.route, c.path, got, c.want)
		}
	}
}
