package gateway

import (
	"fmt"
	"strings"
)

// defaultKey is the key of the route for requests that match no other route.
const defaultKey = "$default"

// route is a method and a path. Segments of the path may be variables, such as {id}; the last may
// be greedy, such as {proxy+}.
type route struct {
	// Method is upper-case; ANY matches every method.
	Method string
	Path   string
	// Anonymous is set if the route has no authorizer.
	Anonymous bool
	segments  []string
}

// parseRoute returns the route of an event's method and path. An empty path, or $default, is the
// default route.
func parseRoute(method, path string) (route, error) {
	if path == "" || path == defaultKey {
		return route{Path: defaultKey}, nil
	}
	r := route{Method: strings.ToUpper(method), Path: path, segments: splitSegments(path)}
	if r.Method == "" || r.Method == "X-AMAZON-APIGATEWAY-ANY-METHOD" {
		r.Method = "ANY"
	}
	if !strings.HasPrefix(path, "/") {
		return route{}, fmt.Errorf("path %q must begin with a slash", path)
	}
	for i, segment := range r.segments {
		if _, greedy := pathVariable(segment); greedy && i != len(r.segments)-1 {
			return route{}, fmt.Errorf("path %q has a greedy variable that is not last", path)
		}
	}
	return r, nil
}

// routeKey returns the name of the route in an event.
func (r route) routeKey() string {
	if r.Path == defaultKey {
		return defaultKey
	}
	return r.Method + " " + r.Path
}

// matchRequest reports whether the route matches a request with these path segments, and returns the
// values of its path variables, nil if it has none.
func (r route) matchRequest(method string, segments []string) (map[string]string, bool) {
	if r.Path == defaultKey {
		return nil, true
	}
	if r.Method != "ANY" && r.Method != method {
		return nil, false
	}
	var values map[string]string
	for i, want := range r.segments {
		name, greedy := pathVariable(want)
		switch {
		case i >= len(segments):
			return nil, false
		case greedy:
			rest := strings.Join(segments[i:], "/")
			return withVariable(values, name, rest), rest != ""
		case name == "" && segments[i] != want, name != "" && segments[i] == "":
			return nil, false
		case name != "":
			values = withVariable(values, name, segments[i])
		}
	}
	return values, len(segments) == len(r.segments)
}

// withVariable adds a value to values, which may be nil.
func withVariable(values map[string]string, name, value string) map[string]string {
	if values == nil {
		values = map[string]string{}
	}
	values[name] = value
	return values
}

// comparePrecedence sorts a route before those over which it is chosen if both match: full paths
// before greedy ones, and these before the default route (API Gateway guide, "Create routes for HTTP
// APIs"); then fixed text before a variable, then a named method before ANY.
func (r route) comparePrecedence(other route) int {
	return strings.Compare(r.precedenceKey(), other.precedenceKey())
}

// precedenceKey returns a string that sorts as comparePrecedence does.
func (r route) precedenceKey() string {
	if r.Path == defaultKey {
		return "default"
	}
	const fixed, single, rest = "0", "1", "2"
	class, order := "0 full ", ""
	for _, segment := range r.segments {
		name, greedy := pathVariable(segment)
		switch {
		case greedy:
			class, order = "1 greedy ", order+rest
		case name != "":
			order += single
		default:
			order += fixed
		}
	}
	if r.Method == "ANY" {
		return class + order + " 1"
	}
	return class + order + " 0"
}

// pathVariable returns the name in {name} or {name+}, or an empty string for fixed text.
func pathVariable(segment string) (name string, greedy bool) {
	if !strings.HasPrefix(segment, "{") || !strings.HasSuffix(segment, "}") {
		return "", false
	}
	name = segment[1 : len(segment)-1]
	return strings.TrimSuffix(name, "+"), strings.HasSuffix(name, "+")
}

func splitSegments(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }
