package gateway

import (
	"fmt"
	"strings"
)

// defaultKey is the key of the route that takes what no other route does.
const defaultKey = "$default"

// route is one line of the gateway's table: a method and a path whose segments may be variables, as {id}, the last one also
// greedy, as {proxy+}.
type route struct {
	// Method is upper-case; ANY stands for every method.
	Method string
	Path   string
	// Anonymous is set when the route has no authorizer.
	Anonymous bool
	segments  []string
}

// newRoute reads the method and path of an event. Both empty, or the path $default, make the default route.
func newRoute(method, path string) (route, error) {
	if path == "" || path == defaultKey {
		return route{Path: defaultKey}, nil
	}
	r := route{Method: strings.ToUpper(method), Path: path, segments: splitPath(path)}
	if r.Method == "" || r.Method == "X-AMAZON-APIGATEWAY-ANY-METHOD" {
		r.Method = "ANY"
	}
	if !strings.HasPrefix(path, "/") {
		return route{}, fmt.Errorf("path %q does not begin with a slash", path)
	}
	for at, segment := range r.segments {
		if _, greedy := pathVariable(segment); greedy && at != len(r.segments)-1 {
			return route{}, fmt.Errorf("path %q has a greedy variable before its end", path)
		}
	}
	return r, nil
}

// routeKey is how an event names its route.
func (r route) routeKey() string {
	if r.Path == defaultKey {
		return defaultKey
	}
	return r.Method + " " + r.Path
}

// matchRequest tells whether the route takes the request, and the values of its path variables.
func (r route) matchRequest(method, path string) (map[string]string, bool) {
	if r.Path == defaultKey {
		return nil, true
	}
	if r.Method != "ANY" && r.Method != method {
		return nil, false
	}
	values := map[string]string{}
	segments := splitPath(path)
	for at, want := range r.segments {
		name, greedy := pathVariable(want)
		switch {
		case at >= len(segments):
			return nil, false
		case greedy:
			values[name] = strings.Join(segments[at:], "/")
			return values, values[name] != ""
		case name == "" && segments[at] != want, name != "" && segments[at] == "":
			return nil, false
		case name != "":
			values[name] = segments[at]
		}
	}
	return values, len(segments) == len(r.segments)
}

// precedes tells whether the route goes before the other when both match: whole paths before greedy ones and those before the
// default route (API Gateway's guide, "Create routes for HTTP APIs"); among equals, the one with fixed text where the other has
// a variable, and last a named method before ANY.
func (r route) precedes(other route) bool { return r.precedence() < other.precedence() }

// precedence spells that order out, so that the lesser text goes first.
func (r route) precedence() string {
	if r.Path == defaultKey {
		return "default"
	}
	const fixed, single, rest = "0", "1", "2"
	class, text := "0 whole ", ""
	for _, segment := range r.segments {
		name, greedy := pathVariable(segment)
		switch {
		case greedy:
			class, text = "1 greedy ", text+rest
		case name != "":
			text += single
		default:
			text += fixed
		}
	}
	if r.Method == "ANY" {
		return class + text + " 1"
	}
	return class + text + " 0"
}

// pathVariable is the name inside {name} or {name+}, empty for fixed text.
func pathVariable(segment string) (name string, greedy bool) {
	if !strings.HasPrefix(segment, "{") || !strings.HasSuffix(segment, "}") {
		return "", false
	}
	name = segment[1 : len(segment)-1]
	return strings.TrimSuffix(name, "+"), strings.HasSuffix(name, "+")
}

func splitPath(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }
