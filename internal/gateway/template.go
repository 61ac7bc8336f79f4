package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// samTemplate is the part of an AWS SAM template that the gateway reads; other parts may contain
// intrinsic functions (!Sub, !GetAtt, …) of any shape. Routes are the events of the functions; the
// definition of the API determines which of them need an identity.
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
	} `yaml:"Properties"`
}

// samAPI is an AWS::Serverless::HttpApi.
type samAPI struct {
	DefinitionBody struct {
		// Paths by path and lower-case method. An operation with an empty list as security needs no
		// identity.
		Paths map[string]map[string]struct {
			Security *[]yaml.Node `yaml:"security"`
		} `yaml:"paths"`
	} `yaml:"DefinitionBody"`
}

// function is the part of an AWS::Serverless::Function that the gateway needs.
type function struct {
	// ID is the logical id in the template.
	ID      string
	Timeout time.Duration
	Routes  []route
}

// defaultFunctionTimeout is the timeout of a function without one in the template.
const defaultFunctionTimeout = integrationTimeout

// parseTemplate returns the functions of a template and their HTTP API events, ordered by logical
// id and event name.
func parseTemplate(content []byte) ([]function, error) {
	var template samTemplate
	if err := yaml.Unmarshal(content, &template); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	anonymous, err := template.anonymousRoutes()
	if err != nil {
		return nil, fmt.Errorf("read the API of template: %w", err)
	}
	var functions []function
	for _, id := range slices.Sorted(maps.Keys(template.Resources)) {
		resource := template.Resources[id]
		if resource.Type != "AWS::Serverless::Function" {
			continue
		}
		f, err := template.readFunction(id, &resource.Properties)
		if err != nil {
			return nil, fmt.Errorf("read function %s of template: %w", id, err)
		}
		for i, r := range f.Routes {
			f.Routes[i].Anonymous = anonymous[r.routeKey()]
		}
		functions = append(functions, f)
	}
	if len(functions) == 0 {
		return nil, errors.New("read template: it has no AWS::Serverless::Function")
	}
	return functions, nil
}

// RoutesOf returns the logical IDs of a template's functions by the keys of their routes, such as
// "GET /health" or "$default".
func RoutesOf(template []byte) (map[string][]string, error) {
	functions, err := parseTemplate(template)
	if err != nil {
		return nil, err
	}
	routes := map[string][]string{}
	for _, f := range functions {
		for _, r := range f.Routes {
			routes[r.routeKey()] = append(routes[r.routeKey()], f.ID)
		}
	}
	return routes, nil
}

func (t samTemplate) readFunction(id string, properties *yaml.Node) (function, error) {
	var sam samFunction
	if !properties.IsZero() {
		if err := properties.Decode(&sam); err != nil {
			return function{}, err
		}
	}
	f := function{ID: id, Timeout: defaultFunctionTimeout}
	for _, node := range []*yaml.Node{&t.Globals.Function.Timeout, &sam.Timeout} {
		if err := t.readTimeout(node, &f.Timeout); err != nil {
			return function{}, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sam.Events)) {
		event := sam.Events[name]
		if event.Type != "HttpApi" {
			continue
		}
		r, err := parseRoute(event.Properties.Method, event.Properties.Path)
		if err != nil {
			return function{}, fmt.Errorf("event %s: %w", name, err)
		}
		f.Routes = append(f.Routes, r)
	}
	return f, nil
}

// anonymousRoutes returns the keys of the routes that need no identity.
func (t samTemplate) anonymousRoutes() (map[string]bool, error) {
	anonymous := map[string]bool{}
	for _, resource := range t.Resources {
		if resource.Type != "AWS::Serverless::HttpApi" || resource.Properties.IsZero() {
			continue
		}
		var api samAPI
		if err := resource.Properties.Decode(&api); err != nil {
			return nil, err
		}
		for path, operations := range api.DefinitionBody.Paths {
			for method, operation := range operations {
				if operation.Security != nil && len(*operation.Security) == 0 {
					anonymous[strings.ToUpper(method)+" "+path] = true
				}
			}
		}
	}
	return anonymous, nil
}

// readTimeout stores a number of seconds, or the default of a parameter named by !Ref, in out. An
// absent node changes nothing.
func (t samTemplate) readTimeout(node *yaml.Node, out *time.Duration) error {
	if node.Tag == "!Ref" {
		parameter := t.Parameters[node.Value]
		node = &parameter.Default
	}
	if node.IsZero() {
		return nil
	}
	var seconds int
	if err := node.Decode(&seconds); err != nil || seconds <= 0 {
		return fmt.Errorf("value %q of Timeout is not a positive number of seconds", node.Value)
	}
	*out = time.Duration(seconds) * time.Second
	return nil
}
