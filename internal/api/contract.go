package api

import (
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Scope is what an operation demands of its caller's token.
type Scope string

// ScopePublic needs no identity. The other scopes are named in openapi.yaml.
const ScopePublic Scope = ""

// operation is an operation of openapi.yaml. The list of them is generated; a function serves some,
// and uses the rest to tell a wrong method from a wrong path.
type operation struct {
	id, method, path string
	scope            Scope
}

// routeKey is the operation's route as API Gateway names it, such as "GET /health".
func (o operation) routeKey() string { return o.method + " " + o.path }

func findOperation(id string) (operation, bool) {
	i := slices.IndexFunc(operations, func(o operation) bool { return o.id == id })
	if i < 0 {
		return operation{}, false
	}
	return operations[i], true
}

// allowedMethods returns the methods of a path, none if there is no such path.
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

// wholeRequest is the value of the metrics' dimension field for an error of the request, or of a
// message, as a whole.
const wholeRequest = "request"

// ClosedSets returns what the metrics of a function may have in the dimensions operation, field and
// action: the names of openapi.yaml and of the sanitisation. others are the operations of the
// function that are not in openapi.yaml.
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
