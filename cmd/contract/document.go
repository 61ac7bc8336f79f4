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

// childMapping returns the mapping under a name, or an empty one.
func (n node) childMapping(name string) node {
	child, _ := n[name].(node)
	return child
}

// childMappings returns the mappings in the list under a name.
func (n node) childMappings(name string) []node {
	list, _ := n[name].([]any)
	var all []node
	for _, item := range list {
		if child, ok := item.(node); ok {
			all = append(all, child)
		}
	}
	return all
}

// resolveReference follows references within the document n.
func (n node) resolveReference(at node) node {
	reference, ok := at["$ref"].(string)
	if !ok {
		return at
	}
	target := n
	for name := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
		target = target.childMapping(name)
	}
	return n.resolveReference(target)
}

// operation is one method of one path.
type operation struct {
	ID, Method, Path string
	// Scope is the scope that a token needs; empty if the operation is public.
	Scope string
}

// listOperations returns the operations of the document, by path and method.
func (n node) listOperations() ([]operation, error) {
	var all []operation
	for path := range n.childMapping("paths") {
		item := n.childMapping("paths").childMapping(path)
		for method := range item {
			described := item.childMapping(method)
			if described == nil { // the parameters of the path
				continue
			}
			scope, err := n.requiredScope(described)
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

// requiredScope returns the scope that an operation requires in a JWT, from its own security or
// else from the document's. An operation is public only if its own security is an empty list.
func (n node) requiredScope(described node) (string, error) {
	if own, ok := described["security"].([]any); ok && len(own) == 0 {
		return "", nil
	}
	requirements := described.childMappings("security")
	if requirements == nil {
		requirements = n.childMappings("security")
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
	for path := range n.childMapping("paths") {
		item := n.childMapping("paths").childMapping(path)
		n.addParameterNames(item, names)
		for method := range item {
			n.addParameterNames(item.childMapping(method), names)
			content := n.resolveReference(item.childMapping(method).childMapping("requestBody")).childMapping("content")
			for media := range content {
				n.addPropertyNames(content.childMapping(media).childMapping("schema"), names)
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (n node) addParameterNames(owner node, names map[string]bool) {
	for _, parameter := range owner.childMappings("parameters") {
		if name, ok := n.resolveReference(parameter)["name"].(string); ok {
			names[name] = true
		}
	}
}

// addPropertyNames adds the names of a schema's properties at any depth.
func (n node) addPropertyNames(schema node, names map[string]bool) {
	schema = n.resolveReference(schema)
	for name := range schema.childMapping("properties") {
		names[name] = true
		n.addPropertyNames(schema.childMapping("properties").childMapping(name), names)
	}
	for _, keyword := range []string{"allOf", "oneOf", "anyOf"} {
		for _, part := range schema.childMappings(keyword) {
			n.addPropertyNames(part, names)
		}
	}
	if items := schema.childMapping("items"); items != nil {
		n.addPropertyNames(items, names)
	}
}
