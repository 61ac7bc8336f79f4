package local

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// samTemplate is the part of an AWS SAM template that concerns the front. What stands elsewhere in it is not looked at, so
// intrinsic functions (!Sub, !GetAtt, …) may stand there in any shape.
type samTemplate struct {
	Parameters map[string]struct {
		Default yaml.Node `yaml:"Default"`
	} `yaml:"Parameters"`
	Globals struct {
		Function struct {
			Timeout yaml.Node `yaml:"Timeout"`
		} `yaml:"Function"`
	} `yaml:"Globals"`
	Resources map[string]struct {
		Type       string    `yaml:"Type"`
		Properties yaml.Node `yaml:"Properties"`
	} `yaml:"Resources"`
}

type samFunction struct {
	Timeout yaml.Node           `yaml:"Timeout"`
	Events  map[string]samEvent `yaml:"Events"`
}

type samEvent struct {
	Type       string `yaml:"Type"`
	Properties struct {
		Path   string `yaml:"Path"`
		Method string `yaml:"Method"`
		Auth   struct {
			Authorizer string `yaml:"Authorizer"`
		} `yaml:"Auth"`
	} `yaml:"Properties"`
}

// function is what the front needs to know of an AWS::Serverless::Function.
type function struct {
	// ID is the logical id in the template.
	ID      string
	Timeout time.Duration
	Routes  []route
}

// defaultFunctionTimeout stands in for a Timeout that the template leaves out: as long as the gateway waits.
const defaultFunctionTimeout = integrationTimeout

// parseTemplate finds the functions of a template and their HTTP API events, ordered by logical id and event name.
func parseTemplate(text []byte) ([]function, error) {
	var template samTemplate
	if err := yaml.Unmarshal(text, &template); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	var functions []function
	for _, id := range slices.Sorted(maps.Keys(template.Resources)) {
		resource := template.Resources[id]
		if resource.Type != "AWS::Serverless::Function" {
			continue
		}
		f, err := template.function(id, &resource.Properties)
		if err != nil {
			return nil, fmt.Errorf("read function %s of template: %w", id, err)
		}
		functions = append(functions, f)
	}
	if len(functions) == 0 {
		return nil, errors.New("read template: it has no AWS::Serverless::Function")
	}
	return functions, nil
}

func (t samTemplate) function(id string, properties *yaml.Node) (function, error) {
	var sam samFunction
	if !properties.IsZero() {
		if err := properties.Decode(&sam); err != nil {
			return function{}, err
		}
	}
	f := function{ID: id, Timeout: defaultFunctionTimeout}
	for _, node := range []*yaml.Node{&t.Globals.Function.Timeout, &sam.Timeout} {
		if err := t.timeout(node, &f.Timeout); err != nil {
			return function{}, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sam.Events)) {
		event := sam.Events[name]
		if event.Type != "HttpApi" {
			continue
		}
		r, err := newRoute(event.Properties.Method, event.Properties.Path)
		if err != nil {
			return function{}, fmt.Errorf("event %s: %w", name, err)
		}
		r.Anonymous = strings.EqualFold(event.Properties.Auth.Authorizer, "NONE")
		f.Routes = append(f.Routes, r)
	}
	return f, nil
}

// timeout reads a number of seconds, or a !Ref to a parameter with a default; an absent node leaves out as it is.
func (t samTemplate) timeout(node *yaml.Node, out *time.Duration) error {
	if node.Tag == "!Ref" {
		parameter := t.Parameters[node.Value]
		node = &parameter.Default
	}
	if node.IsZero() {
		return nil
	}
	var seconds int
	if err := node.Decode(&seconds); err != nil || seconds <= 0 {
		return fmt.Errorf("%s %q is not a positive number of seconds", "Timeout", node.Value)
	}
	*out = time.Duration(seconds) * time.Second
	return nil
}
