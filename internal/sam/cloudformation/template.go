// Package cloudformation reads a CloudFormation template and evaluates it with the values of its parameters: what a deployment would make,
// as far as the template alone decides it.
//
// It does not know resource types.
package cloudformation

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Tree is a mapping of a template. Its values are Trees, lists of type []any, and scalars as strings. Intrinsic functions are in their long
// form: {"Ref": name}, {"Fn::GetAtt": [name, attribute]}, …
type Tree = map[string]any

// Read reads a template in YAML.
func Read(content []byte) (Tree, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	if len(document.Content) == 0 {
		return nil, errors.New("read the template: it is empty")
	}
	value, err := plainValue(document.Content[0])
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	root, isTree := value.(Tree)
	if !isTree {
		return nil, errors.New("read the template: it is not a mapping")
	}
	return root, nil
}

// plainValue decodes a YAML node.
func plainValue(node *yaml.Node) (value any, err error) {
	switch node.Kind {
	case yaml.MappingNode:
		mapping := Tree{}
		for i := 0; i < len(node.Content) && err == nil; i += 2 {
			mapping[node.Content[i].Value], err = plainValue(node.Content[i+1])
		}
		value = mapping
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i := 0; i < len(list) && err == nil; i++ {
			list[i], err = plainValue(node.Content[i])
		}
		value = list
	case yaml.ScalarNode:
		value = node.Value
	default:
		return nil, fmt.Errorf("line %d: CloudFormation does not support aliases", node.Line)
	}
	return longForm(node.Tag, value), err
}

// longForm returns a value under the function that its tag is short for.
func longForm(tag string, value any) any {
	switch {
	case tag == "!Ref", tag == "!Condition":
		return Tree{tag[1:]: value}
	case tag == "!GetAtt":
		name, attribute, _ := strings.Cut(fmt.Sprint(value), ".")
		return Tree{"Fn::GetAtt": []any{name, attribute}}
	case strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!"):
		return Tree{"Fn::" + tag[1:]: value}
	}
	return value
}

// ValueAt returns the value at a path of keys, or nil.
func ValueAt(value any, path ...string) any {
	for _, key := range path {
		mapping, _ := value.(Tree)
		value = mapping[key]
	}
	return value
}

// List returns the elements of a list, or a single value as a list.
func List(value any) []any {
	if items, isList := value.([]any); isList {
		return items
	}
	if value == nil {
		return nil
	}
	return []any{value}
}
