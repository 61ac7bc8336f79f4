package api

import (
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Scope is the scope that an operation requires in the caller's token.
type Scope string

// ScopePublic marks an operation without authentication. The other scopes are defined in
// openapi.yaml.
const ScopePublic Scope = ""

// operation is an operation of openapi.yaml. The list is generated. A function serves some of them
// and uses the others to distinguish a wrong method from a wrong path.
type operation struct {
	id, method, path string
	scope            Scope
}

// routeKey returns the operation's route key in API Gateway, such as "GET /health".
func (o operation) routeKey() string { return o.method + " " + o.path }

func findOperation(id string) (operation, bool) {
	i := slices.IndexFunc(operations, func(o operation) bool { return o.id == id })
	if i < 0 {
		return operation{}, false
	}
	return operations[i], true
}

// allowedMethods returns the methods of a path, or nil if the path is unknown.
func allowedMethods(path string) []string {
	methods := methodsWhere(func(template string) bool { return template == path })
	if methods == nil {
		methods = methodsWhere(func(template string) bool { return matchesTemplate(template, path) })
	}
	return methods
}

func methodsWhere(matches func(template string) bool) []string {
	var methods []string
	for _, o := range operations {
		if matches(o.path) {
			methods = append(methods, o.method)
		}
	}
	return methods
}

func matchesTemplate(template, path string) bool {
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

// wholeRequest is the value of the metric dimension "field" for an error that concerns a whole
// request or message.
const wholeRequest = "request"

// ClosedSets returns the values that the metrics of a function may have in the dimensions
// operation, field and action: the names in openapi.yaml and the redaction actions. others are
// operations of the function that are not in openapi.yaml.
func ClosedSets(others ...string) telemetry.ClosedSets {
	sets := telemetry.ClosedSets{Operations: others, Fields: append([]string{wholeRequest}, requestFields...)}
	for _, o := range operations {
		sets.Operations = append(sets.Operations, o.id)
	}
	for _, action := range redact.AllActions() {
		sets.Actions = append(sets.Actions, string(action))
	}
	return sets
}
