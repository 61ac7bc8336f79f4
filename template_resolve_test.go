package datastorage_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/sam/cloudformation"
)

// This file resolves template.yaml with parameters, as CloudFormation does.

// deployment is the template with the values of its parameters and of AWS's own, such as AWS::Region.
type deployment struct{ *cloudformation.Stack }

// deploy returns a deployment with parameters, such as "A=1 B=2", and the defaults of the others. Stage is dev. At its end, the test fails if
// something could not be evaluated.
func deploy(t *testing.T, parameters string) deployment {
	t.Helper()
	return deployTemplate(t, readTemplate(t), parameters)
}

func deployTemplate(t *testing.T, template tree, parameters string) deployment {
	t.Helper()
	values := map[string]string{"Stage": "dev"}
	for word := range strings.FieldsSeq(parameters) {
		name, value, _ := strings.Cut(word, "=")
		values[name] = value
	}
	s, err := cloudformation.NewStack(template, values)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(s.Values, map[string]string{
		"AWS::Region": "eu-central-1", "AWS::Partition": "aws", "AWS::AccountId": "123456789012", "AWS::URLSuffix": "amazonaws.com",
	})
	t.Cleanup(func() {
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
	return deployment{s}
}

// resource returns the properties of a resource, or nil if its condition does not hold.
func (d deployment) resource(id string) tree {
	resource := valueAt(d.Template, "Resources", id)
	if !d.IsMade(resource) {
		return nil
	}
	properties, _ := d.Property(resource).(tree)
	return properties
}

// variables returns the environment of a function.
func (d deployment) variables(id string) map[string]string {
	variables := map[string]string{}
	for _, set := range []any{valueAt(d.Template, "Globals", "Function", "Environment", "Variables"), valueAt(d.Template, "Resources", id, "Properties", "Environment", "Variables")} {
		for name, value := range set.(tree) {
			variables[name] = fmt.Sprint(d.Resolve(value))
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
			if d.Holds(tree{"Condition": branches[0]}) {
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
	for id, element := range d.Template[section].(tree) {
		if d.IsMade(element) {
			found[id] = d.chosen(element)
		}
	}
	return found
}

// refusals returns the descriptions of the rules that the parameters break.
func (d deployment) refusals() []string {
	var refusals []string
	for _, rule := range d.Template["Rules"].(tree) {
		if condition := valueAt(rule, "RuleCondition"); condition != nil && !d.Holds(condition) {
			continue
		}
		for _, assertion := range asList(valueAt(rule, "Assertions")) {
			if !d.Holds(valueAt(assertion, "Assert")) {
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
	conditions := d.Template["Conditions"].(tree)
	for name := range conditions {
		if holds := d.Holds(tree{"Condition": name}); holds && name == "Restored" {
			t.Error("a new database is restored")
		}
	}
}
