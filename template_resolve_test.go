package datastorage_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file resolves template.yaml with parameters, as CloudFormation does.

// deployment is the template with the values of its parameters and of AWS's own, such as AWS::Region.
type deployment struct {
	t        *testing.T
	template tree
	values   map[string]string
}

// deploy returns a deployment with parameters, such as "A=1 B=2", and the defaults of the others. Stage is dev.
func deploy(t *testing.T, parameters string) deployment {
	t.Helper()
	return deployTemplate(t, readTemplate(t), parameters)
}

func deployTemplate(t *testing.T, template tree, parameters string) deployment {
	t.Helper()
	d := deployment{t: t, template: template, values: map[string]string{
		"AWS::Region": "eu-central-1", "AWS::Partition": "aws", "AWS::AccountId": "123456789012", "AWS::URLSuffix": "amazonaws.com", "Stage": "dev",
	}}
	for name, parameter := range d.template["Parameters"].(tree) {
		if value := valueAt(parameter, "Default"); value != nil {
			d.values[name] = fmt.Sprint(value)
		}
	}
	for word := range strings.FieldsSeq(parameters) {
		name, value, _ := strings.Cut(word, "=")
		if valueAt(d.template, "Parameters", name) == nil {
			t.Fatalf("the template has no parameter %s", name)
		}
		d.values[name] = value
	}
	return d
}

// resolve replaces the functions in a value; AWS::NoValue becomes nil and leaves its list or mapping. Attributes of resources stay as
// they are.
func (d deployment) resolve(value any) any {
	switch v := value.(type) {
	case []any:
		var items []any
		for _, item := range v {
			if resolved := d.resolve(item); resolved != nil {
				items = append(items, resolved)
			}
		}
		return items
	case tree:
		if len(v) == 1 {
			for name, arguments := range v {
				if resolved, known := d.call(name, arguments); known {
					return resolved
				}
			}
		}
		mapping := tree{}
		for key, inner := range v {
			if resolved := d.resolve(inner); resolved != nil {
				mapping[key] = resolved
			}
		}
		return mapping
	}
	return value
}

// call returns the result of an intrinsic function.
func (d deployment) call(name string, arguments any) (any, bool) {
	list := asList(arguments)
	switch name {
	case "Ref":
		if value, known := d.values[fmt.Sprint(arguments)]; known {
			return value, true
		}
		return nil, arguments == "AWS::NoValue"
	case "Fn::If":
		if d.holds(valueAt(d.template, "Conditions", fmt.Sprint(list[0]))) {
			return d.resolve(list[1]), true
		}
		return d.resolve(list[2]), true
	case "Fn::Split":
		words, isText := d.resolve(list[1]).(string)
		if isText && words == "" {
			d.t.Errorf("%v: AWS does not document how an empty text is split", arguments)
		}
		var parts []any
		for word := range strings.SplitSeq(words, fmt.Sprint(list[0])) {
			parts = append(parts, word)
		}
		return parts, true
	case "Fn::Select":
		index, _ := strconv.Atoi(fmt.Sprint(list[0]))
		return d.resolve(list[1]).([]any)[index], true
	case "Fn::FindInMap":
		return valueAt(d.template, "Mappings", fmt.Sprint(list[0]), fmt.Sprint(d.resolve(list[1])), fmt.Sprint(list[2])), true
	case "Fn::Join":
		words, isList := d.resolve(list[1]).(string) // the value of a list parameter
		return strings.ReplaceAll(words, ",", fmt.Sprint(list[0])), isList
	case "Fn::Sub":
		return d.substitute(fmt.Sprint(list[0]), list[1:]), true
	}
	return nil, false
}

func (d deployment) substitute(text string, local []any) string {
	return regexp.MustCompile(`\$\{[^}]+\}`).ReplaceAllStringFunc(text, func(name string) string {
		name = name[2 : len(name)-1]
		if len(local) > 0 {
			if value := valueAt(local[0], name); value != nil {
				return fmt.Sprint(d.resolve(value))
			}
		}
		if value, known := d.values[name]; known {
			return value
		}
		return "<" + name + ">"
	})
}

// holds evaluates a condition.
func (d deployment) holds(condition any) bool {
	for name, arguments := range condition.(tree) {
		list := asList(arguments)
		switch name {
		case "Condition":
			return d.holds(valueAt(d.template, "Conditions", fmt.Sprint(arguments)))
		case "Fn::Not":
			return !d.holds(list[0])
		case "Fn::And":
			return !slices.ContainsFunc(list, func(c any) bool { return !d.holds(c) })
		case "Fn::Or":
			return slices.ContainsFunc(list, d.holds)
		case "Fn::Equals":
			return fmt.Sprint(d.resolve(list[0])) == fmt.Sprint(d.resolve(list[1]))
		case "Fn::Contains":
			if words, literal := list[0].([]any); literal {
				return slices.Contains(words, d.resolve(list[1]))
			}
			return slices.Contains(strings.Split(fmt.Sprint(d.resolve(list[0])), ","), fmt.Sprint(d.resolve(list[1])))
		}
	}
	d.t.Fatalf("unknown condition %v", condition)
	return false
}

// resource returns the properties of a resource, or nil if its condition does not hold.
func (d deployment) resource(id string) tree {
	resource := valueAt(d.template, "Resources", id)
	if condition := valueAt(resource, "Condition"); condition != nil && !d.holds(tree{"Condition": condition}) {
		return nil
	}
	properties, _ := d.resolve(valueAt(resource, "Properties")).(tree)
	return properties
}

// variables returns the environment of a function.
func (d deployment) variables(id string) map[string]string {
	variables := map[string]string{}
	for _, set := range []any{valueAt(d.template, "Globals", "Function", "Environment", "Variables"), valueAt(d.template, "Resources", id, "Properties", "Environment", "Variables")} {
		for name, value := range set.(tree) {
			variables[name] = fmt.Sprint(d.resolve(value))
		}
	}
	return variables
}

// chosen returns a value with the branches that its conditions choose, and without what is AWS::NoValue. References remain.
func (d deployment) chosen(value any) any {
	switch v := value.(type) {
	case []any:
		list := []any{}
		for _, element := range v {
			if kept := d.chosen(element); kept != nil {
				list = append(list, kept)
			}
		}
		return list
	case tree:
		if v["Ref"] == "AWS::NoValue" {
			return nil
		}
		if branches := asList(v["Fn::If"]); branches != nil {
			if d.holds(tree{"Condition": branches[0]}) {
				return d.chosen(branches[1])
			}
			return d.chosen(branches[2])
		}
		mapping := tree{}
		for key, element := range v {
			if kept := d.chosen(element); kept != nil {
				mapping[key] = kept
			}
		}
		return mapping
	}
	return value
}

// made returns the resources, or the outputs, that exist with the parameters.
func (d deployment) made(section string) tree {
	found := tree{}
	for id, element := range d.template[section].(tree) {
		if condition := valueAt(element, "Condition"); condition == nil || d.holds(tree{"Condition": condition}) {
			found[id] = d.chosen(element)
		}
	}
	return found
}

// refusals returns the descriptions of the rules that the parameters break.
func (d deployment) refusals() []string {
	var refusals []string
	for _, rule := range d.template["Rules"].(tree) {
		if condition := valueAt(rule, "RuleCondition"); condition != nil && !d.holds(condition) {
			continue
		}
		for _, assertion := range asList(valueAt(rule, "Assertions")) {
			if !d.holds(valueAt(assertion, "Assert")) {
				refusals = append(refusals, fmt.Sprint(valueAt(assertion, "AssertDescription")))
			}
		}
	}
	return refusals
}

// TestConditionsOfDefaults checks that every condition can be evaluated where optional parameters are empty, as CloudFormation evaluates all of
// them.
func TestConditionsOfDefaults(t *testing.T) {
	t.Parallel()
	d := deploy(t, "")
	conditions := d.template["Conditions"].(tree)
	for name := range conditions {
		if holds := d.holds(tree{"Condition": name}); holds && name == "Restored" {
			t.Error("a new database is restored")
		}
	}
}
