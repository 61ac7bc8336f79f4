package cloudformation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Stack is a template with the values of its parameters. It records the first error of its methods; see Err.
type Stack struct {
	Template Tree
	// Values has the parameters' values by name, a list joined by commas, and those of AWS's own, such as AWS::Region, that are known.
	Values map[string]string
	err    error
}

// NewStack returns the stack of a template with values of parameters, and the defaults of the others.
func NewStack(template Tree, parameters map[string]string) (*Stack, error) {
	s := &Stack{Template: template, Values: map[string]string{}}
	defined, _ := template["Parameters"].(Tree)
	for name, parameter := range defined {
		if value := ValueAt(parameter, "Default"); value != nil {
			s.Values[name] = fmt.Sprint(value)
		}
	}
	for name := range parameters {
		if defined[name] == nil {
			return nil, fmt.Errorf("the template has no parameter %s", name)
		}
	}
	maps.Copy(s.Values, parameters)
	return s, nil
}

// Err returns the first thing that the calls so far could not evaluate, or nil.
func (s *Stack) Err() error { return s.err }

func (s *Stack) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// Resolve replaces the functions in a value; AWS::NoValue becomes nil and leaves its list or mapping. Attributes of resources, and references
// to them, stay as they are.
func (s *Stack) Resolve(value any) any {
	switch v := value.(type) {
	case []any:
		var items []any
		for _, item := range v {
			if resolved := s.Resolve(item); resolved != nil {
				items = append(items, resolved)
			}
		}
		return items
	case Tree:
		if len(v) == 1 {
			for name, arguments := range v {
				if resolved, known := s.call(name, arguments); known {
					return resolved
				}
			}
		}
		mapping := Tree{}
		for key, inner := range v {
			if resolved := s.Resolve(inner); resolved != nil {
				mapping[key] = resolved
			}
		}
		return mapping
	}
	return value
}

// call returns the result of an intrinsic function.
func (s *Stack) call(name string, arguments any) (any, bool) {
	list := List(arguments)
	switch name {
	case "Ref":
		if value, known := s.Values[fmt.Sprint(arguments)]; known {
			return value, true
		}
		return nil, arguments == "AWS::NoValue"
	case "Fn::If":
		return s.Resolve(s.branch(list)), true
	case "Fn::Split":
		return s.split(fmt.Sprint(list[0]), s.Resolve(list[1])), true
	case "Fn::Select":
		parts, index := s.elements(list[1]), fmt.Sprint(list[0])
		if n, err := strconv.Atoi(index); err == nil && n < len(parts) {
			return parts[n], true
		}
		s.fail("%v has no element %s", list[1], index)
		return "", true
	case "Fn::FindInMap":
		return ValueAt(s.Template, "Mappings", fmt.Sprint(list[0]), fmt.Sprint(s.Resolve(list[1])), fmt.Sprint(list[2])), true
	case "Fn::Join":
		words, isList := s.Resolve(list[1]).(string) // the value of a list parameter
		return strings.ReplaceAll(words, ",", fmt.Sprint(list[0])), isList
	case "Fn::Sub":
		return s.substitute(fmt.Sprint(list[0]), list[1:]), true
	}
	return nil, false
}

// elements returns the elements of a list, or of a parameter that is a list.
func (s *Stack) elements(value any) []any {
	resolved := s.Resolve(value)
	if words, isParameter := resolved.(string); isParameter {
		return s.split(",", words)
	}
	return List(resolved)
}

// branch returns the value that Fn::If chooses.
func (s *Stack) branch(list []any) any {
	if s.Holds(Tree{"Condition": list[0]}) {
		return list[1]
	}
	return list[2]
}

func (s *Stack) split(separator string, value any) []any {
	words, isString := value.(string)
	if isString && words == "" {
		s.fail("AWS does not document how an empty string is split at %q", separator)
	}
	var parts []any
	for word := range strings.SplitSeq(words, separator) {
		parts = append(parts, word)
	}
	return parts
}

func (s *Stack) substitute(text string, local []any) string {
	return regexp.MustCompile(`\$\{[^}]+\}`).ReplaceAllStringFunc(text, func(name string) string {
		name = name[2 : len(name)-1]
		if len(local) > 0 {
			if value := ValueAt(local[0], name); value != nil {
				return fmt.Sprint(s.Resolve(value))
			}
		}
		if value, known := s.Values[name]; known {
			return value
		}
		return "<" + name + ">"
	})
}

// Holds evaluates a condition: a function, or a reference {"Condition": name}.
func (s *Stack) Holds(condition any) bool {
	functions, _ := condition.(Tree)
	for name, arguments := range functions {
		list := List(arguments)
		switch name {
		case "Condition":
			if named := ValueAt(s.Template, "Conditions", fmt.Sprint(arguments)); named != nil {
				return s.Holds(named)
			}
			s.fail("the template has no condition %v", arguments)
			return false
		case "Fn::Not":
			return !s.Holds(list[0])
		case "Fn::And":
			return !slices.ContainsFunc(list, func(c any) bool { return !s.Holds(c) })
		case "Fn::Or":
			return slices.ContainsFunc(list, s.Holds)
		case "Fn::Equals":
			return fmt.Sprint(s.Resolve(list[0])) == fmt.Sprint(s.Resolve(list[1]))
		case "Fn::Contains":
			if words, isList := list[0].([]any); isList {
				return slices.Contains(words, s.Resolve(list[1]))
			}
			return slices.Contains(strings.Split(fmt.Sprint(s.Resolve(list[0])), ","), fmt.Sprint(s.Resolve(list[1])))
		}
	}
	s.fail("the condition %v is not supported", condition)
	return false
}

// Property returns the resolved value at a path of keys below the properties of a resource, or nil.
func (s *Stack) Property(resource any, path ...string) any {
	value := ValueAt(resource, "Properties")
	for _, key := range path {
		if choice := List(ValueAt(value, "Fn::If")); choice != nil {
			value = s.branch(choice)
		}
		value = ValueAt(value, key)
	}
	return s.Resolve(value)
}

// IsMade reports whether the condition of a resource or output holds.
func (s *Stack) IsMade(element any) bool {
	name := ValueAt(element, "Condition")
	return name == nil || s.Holds(Tree{"Condition": name})
}
