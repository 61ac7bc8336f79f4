package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// node is a mapping of the document.
type node map[string]any

// child returns the mapping under a name, empty if there is none.
func (n node) child(name string) node {
	child, _ := n[name].(node)
	return child
}

// children returns the mappings in the list under a name.
func (n node) children(name string) []node {
	list, _ := n[name].([]any)
	var all []node
	for _, item := range list {
		if child, ok := item.(node); ok {
			all = append(all, child)
		}
	}
	return all
}

// resolve follows references within the document n.
func (n node) resolve(at node) node {
	reference, ok := at["$ref"].(string)
	if !ok {
		return at
	}
	target := n
	for name := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
		target = target.child(name)
	}
	return n.resolve(target)
}

// operation is one method of one path.
type operation struct {
	ID, Method, Path string
	// Scope is the scope that a token needs, empty if the operation is public.
	Scope string
}

// operations returns the operations of the document, by path and method.
func (n node) operations() ([]operation, error) {
	var all []operation
	for path := range n.child("paths") {
		item := n.child("paths").child(path)
		for method := range item {
			described := item.child(method)
			if described == nil { // the parameters of the path
				continue
			}
			scope, err := n.scope(described)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			id, ok := described["operationId"].(string)
			if !ok {
				return nil, fmt.Errorf("%s %s has no operationId", method, path)
			}
			all = append(all, operation{ID: id, Method: strings.ToUpper(method), Path: path, Scope: scope})
		}
	}
	slices.SortFunc(all, func(a, b operation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return all, nil
}

// scope returns the scope that an operation demands of a JWT, by its own security or else by the document's. An operation is public only
// if it says so with an empty list.
func (n node) scope(described node) (string, error) {
	if own, ok := described["security"].([]any); ok && len(own) == 0 {
		return "", nil
	}
	requirements := described.children("security")
	if requirements == nil {
		requirements = n.children("security")
	}
	for _, requirement := range requirements {
		if scopes, ok := requirement["jwt"].([]any); ok && len(scopes) == 1 {
			return fmt.Sprint(scopes[0]), nil
		}
	}
	return "", errors.New("security must name one scope for jwt")
}

// requestFields returns the names of all parameters and of all fields of request bodies, sorted.
func (n node) requestFields() []string {
	names := map[string]bool{}
	for path := range n.child("paths") {
		item := n.child("paths").child(path)
		n.addParameters(item, names)
		for method := range item {
			n.addParameters(item.child(method), names)
			content := n.resolve(item.child(method).child("requestBody")).child("content")
			for media := range content {
				n.addProperties(content.child(media).child("schema"), names)
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (n node) addParameters(owner node, names map[string]bool) {
	for _, parameter := range owner.children("parameters") {
		if name, ok := n.resolve(parameter)["name"].(string); ok {
			names[name] = true
		}
	}
}

// addProperties adds the names of a schema's properties at any depth.
func (n node) addProperties(schema node, names map[string]bool) {
	schema = n.resolve(schema)
	for name := range schema.child("properties") {
		names[name] = true
		n.addProperties(schema.child("properties").child(name), names)
	}
	for _, keyword := range []string{"allOf", "oneOf", "anyOf"} {
		for _, part := range schema.children(keyword) {
			n.addProperties(part, names)
		}
	}
	if items := schema.child("items"); items != nil {
		n.addProperties(items, names)
	}
}
