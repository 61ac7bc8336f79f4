package api

import (
	"maps"
	"slices"
	"strings"
)

// catalogue is every path of the API with its methods and their operation ids; a test holds it to openapi.yaml and template.yaml. A
// function answers some of them, and uses the rest to tell a wrong method from a wrong path.
func catalogue() map[string]map[string]string {
	return map[string]map[string]string{
		"/v1/remediations":                              {"GET": "listRemediations", "POST": "createRemediation"},
		"/v1/remediations/batch":                        {"POST": "createRemediations"},
		"/v1/remediations/{remediation_id}":             {"GET": "getRemediation", "PATCH": "updateRemediation"},
		"/v1/remediations/{remediation_id}/ai-analyses": {"POST": "createAIAnalysis"},
		"/v1/remediations/{remediation_id}/workflows":   {"POST": "createWorkflow"},
		"/v1/remediations/{remediation_id}/executions":  {"POST": "createExecution"},
		"/v1/remediations/{remediation_id}/history":     {"GET": "getHistory"},
		"/v1/remediations/{remediation_id}/similar":     {"GET": "findSimilar"},
		"/v1/search":             {"POST": "search"},
		"/v1/incident-events":    {"GET": "listIncidentEvents"},
		"/v1/stats/success-rate": {"GET": "getSuccessRate"},
		"/v1/stats/trend":        {"GET": "getTrend"},
		"/health":                {"GET": "getHealth"},
		"/ready":                 {"GET": "getReady"},
	}
}

// operation is the id of a route key, such as "GET /health"; empty for a route that is none of the API's.
func operation(routeKey string) string {
	method, path, _ := strings.Cut(routeKey, " ")
	return catalogue()[path][method]
}

// allowed answers the methods that a path has, none when there is no such path.
func allowed(path string) []string {
	if methods, ok := catalogue()[path]; ok {
		return slices.Sorted(maps.Keys(methods))
	}
	for template, methods := range catalogue() {
		if matches(template, path) {
			return slices.Sorted(maps.Keys(methods))
		}
	}
	return nil
}

func matches(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i, part := range want {
		if part != have[i] && (!strings.HasPrefix(part, "{") || have[i] == "") {
			return false
		}
	}
	return true
}
