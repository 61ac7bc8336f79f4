package api

import (
	"slices"
	"strings"
)

// catalogue is every path of the API with its methods; a test holds it to openapi.yaml and template.yaml. A function answers some of
// them, and uses the rest to tell a wrong method from a wrong path.
func catalogue() map[string][]string {
	return map[string][]string{
		"/v1/remediations":                              {"GET", "POST"},
		"/v1/remediations/batch":                        {"POST"},
		"/v1/remediations/{remediation_id}":             {"GET", "PATCH"},
		"/v1/remediations/{remediation_id}/ai-analyses": {"POST"},
		"/v1/remediations/{remediation_id}/workflows":   {"POST"},
		"/v1/remediations/{remediation_id}/executions":  {"POST"},
		"/v1/remediations/{remediation_id}/history":     {"GET"},
		"/v1/remediations/{remediation_id}/similar":     {"GET"},
		"/v1/search":             {"POST"},
		"/v1/incident-events":    {"GET"},
		"/v1/stats/success-rate": {"GET"},
		"/v1/stats/trend":        {"GET"},
		"/health":                {"GET"},
		"/ready":                 {"GET"},
	}
}

func known(routeKey string) bool {
	method, path, _ := strings.Cut(routeKey, " ")
	return slices.Contains(catalogue()[path], method)
}

// allowed answers the methods that a path has, none when there is no such path.
func allowed(path string) []string {
	if methods, ok := catalogue()[path]; ok {
		return methods
	}
	for template, methods := range catalogue() {
		if matches(template, path) {
			return methods
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
