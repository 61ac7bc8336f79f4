package main

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// stackTemplate is the part of a CloudFormation template that determines which resources are made.
type stackTemplate struct {
	Parameters map[string]struct {
		Default yaml.Node `yaml:"Default"`
	} `yaml:"Parameters"`
	Globals struct {
		Function struct {
			MemorySize yaml.Node `yaml:"MemorySize"`
		} `yaml:"Function"`
	} `yaml:"Globals"`
	Conditions map[string]yaml.Node `yaml:"Conditions"`
	Resources  map[string]resource  `yaml:"Resources"`
}

type resource struct {
	Type       string    `yaml:"Type"`
	Condition  string    `yaml:"Condition"`
	Properties yaml.Node `yaml:"Properties"`
}

// stack is what a template makes with the values of its parameters.
type stack struct {
	stackTemplate
	parameters map[string]string
}

// newStack returns the stack of a template with values of parameters, and the defaults of the others.
func newStack(content []byte, overrides map[string]string) (*stack, error) {
	s := stack{parameters: map[string]string{}}
	if err := yaml.Unmarshal(content, &s.stackTemplate); err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	for name, parameter := range s.Parameters {
		s.parameters[name] = parameter.Default.Value
	}
	for name, value := range overrides {
		if _, known := s.parameters[name]; !known {
			return nil, fmt.Errorf("the template has no parameter %s", name)
		}
		s.parameters[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(s.Conditions)) {
		if _, err := s.evaluateCondition(name); err != nil {
			return nil, fmt.Errorf("condition %s: %w", name, err)
		}
	}
	for id, r := range s.Resources {
		if _, err := s.evaluateCondition(r.Condition); err != nil {
			return nil, fmt.Errorf("resource %s: %w", id, err)
		}
	}
	return &s, nil
}

// evaluateCondition reports whether a condition of the template holds. An empty name is no condition.
func (s *stack) evaluateCondition(name string) (bool, error) {
	if name == "" {
		return true, nil
	}
	node, known := s.Conditions[name]
	if !known {
		return false, fmt.Errorf("the template has no condition %s", name)
	}
	return s.evaluateNode(&node)
}

// evaluateNode evaluates !Equals, !Not, !And, !Or and !Condition.
func (s *stack) evaluateNode(node *yaml.Node) (bool, error) {
	switch node.Tag {
	case "!Condition":
		return s.evaluateCondition(node.Value)
	case "!Equals":
		left, leftErr := s.resolveOperand(node.Content[0])
		right, err := s.resolveOperand(node.Content[1])
		return left == right, errors.Join(leftErr, err)
	case "!Not":
		holds, err := s.evaluateNode(node.Content[0])
		return !holds, err
	case "!And":
		return s.evaluateList(node.Content, true)
	case "!Or":
		return s.evaluateList(node.Content, false)
	}
	return false, fmt.Errorf("line %d: %s is not supported", node.Line, node.Tag)
}

// evaluateList returns the conjunction of conditions, or their disjunction.
func (s *stack) evaluateList(nodes []*yaml.Node, conjunction bool) (bool, error) {
	for _, node := range nodes {
		if holds, err := s.evaluateNode(node); err != nil || holds != conjunction {
			return holds, err
		}
	}
	return conjunction, nil
}

// resolveOperand returns a value that is compared: a scalar, a parameter, the joined elements of a parameter that is a list,
// or a part of a parameter.
func (s *stack) resolveOperand(node *yaml.Node) (string, error) {
	if node.Tag == "!Join" && len(node.Content) == 2 && node.Content[1].Tag == "!Ref" {
		return strings.ReplaceAll(s.resolveScalar(node.Content[1]), ",", node.Content[0].Value), nil
	}
	if node.Tag == "!Select" && len(node.Content) == 2 && node.Content[1].Tag == "!Split" {
		return s.selectPart(node.Content[0].Value, node.Content[1].Content)
	}
	if isIntrinsic(node) && node.Tag != "!Ref" {
		return "", fmt.Errorf("line %d: %s is not supported", node.Line, node.Tag)
	}
	return s.resolveScalar(node), nil
}

// selectPart returns the part with an index of a parameter that is split at a separator, or "" if it has fewer.
func (s *stack) selectPart(index string, split []*yaml.Node) (string, error) {
	n, err := strconv.Atoi(index)
	if err != nil || len(split) != 2 {
		return "", fmt.Errorf("!Select [%s, !Split …] is not supported", index)
	}
	parts := strings.Split(s.resolveScalar(split[1]), split[0].Value)
	if n >= len(parts) {
		return "", nil
	}
	return parts[n], nil
}

// resolveScalar returns the value of a scalar or of a parameter that it refers to. What is known only to a
// deployment, such as the ID of a resource, is "".
func (s *stack) resolveScalar(node *yaml.Node) string {
	switch {
	case node.Tag == "!Ref":
		return s.parameters[node.Value]
	case node.Kind == yaml.ScalarNode && !isIntrinsic(node):
		return node.Value
	}
	return ""
}

func isIntrinsic(node *yaml.Node) bool {
	return strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!")
}

// resolveChoice returns the branch of !If that the parameters choose, and any other node as it is.
func (s *stack) resolveChoice(node *yaml.Node) (*yaml.Node, error) {
	if node.Tag != "!If" || len(node.Content) != 3 {
		return node, nil
	}
	holds, err := s.evaluateCondition(node.Content[0].Value)
	if holds {
		return node.Content[1], err
	}
	return node.Content[2], err
}

// property returns the value at a path of keys below the properties of a resource, or an empty node.
func (s *stack) property(r resource, path ...string) (*yaml.Node, error) {
	node, err := s.resolveChoice(&r.Properties)
	for _, key := range path {
		if err != nil {
			return nil, err
		}
		node, err = s.resolveChoice(childNode(node, key))
	}
	return node, err
}

// childNode returns the value of a mapping's key, or an empty node.
func childNode(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(node.Content) && node.Kind == yaml.MappingNode; i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return &yaml.Node{}
}

// number returns a number at a path of keys below the properties of a resource.
func (s *stack) number(r resource, path ...string) (float64, error) {
	node, err := s.property(r, path...)
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseFloat(s.resolveScalar(node), 64)
	if err != nil {
		return 0, fmt.Errorf("%s is not a number: %w", strings.Join(path, "."), err)
	}
	return number, nil
}

// resourcesMade yields the resources of a type that are made, in the order of their logical IDs. newStack has
// evaluated every condition without an error.
func (s *stack) resourcesMade(kind string) iter.Seq2[string, resource] {
	return func(yield func(string, resource) bool) {
		for _, id := range slices.Sorted(maps.Keys(s.Resources)) {
			r := s.Resources[id]
			if holds, err := s.evaluateCondition(r.Condition); err == nil && holds && r.Type == kind && !yield(id, r) {
				return
			}
		}
	}
}

// countResources returns the number of resources of a type that are made.
func (s *stack) countResources(kind string) float64 {
	count := 0.0
	for range s.resourcesMade(kind) {
		count++
	}
	return count
}

// pricedTypes are the resource types that idleLines counts.
var pricedTypes = []string{
	"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::EC2::VPCEndpoint", "AWS::KMS::Key", "AWS::RDS::DBCluster",
	"AWS::RDS::DBInstance", "AWS::RDS::DBProxy", "AWS::Serverless::Function",
}

// freeTypes are resource types that cost nothing by themselves, or only what requests to them cost.
var freeTypes = []string{
	"AWS::ApiGatewayV2::ApiMapping", "AWS::ApiGatewayV2::DomainName", "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet",
	"AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::Logs::LogGroup",
	"AWS::RDS::DBClusterParameterGroup", "AWS::RDS::DBParameterGroup", "AWS::RDS::DBProxyTargetGroup", "AWS::Route53::RecordSet", "AWS::RDS::DBSubnetGroup", "AWS::SNS::Subscription",
	"AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::SSM::Parameter", "AWS::Serverless::HttpApi", "AWS::Serverless::LayerVersion",
	"Custom::Migration",
}

// unknownTypes are resource types whose price was not found; the page says so.
var unknownTypes = []string{
	"AWS::Backup::BackupPlan", "AWS::Backup::BackupSelection", "AWS::Backup::BackupVault", "AWS::RDS::DBProxyEndpoint",
}

// checkPriced returns an error if the stack makes a resource of a type that is in none of the three lists, so
// that a new one is not forgotten.
func (s *stack) checkPriced() error {
	known := slices.Concat(pricedTypes, freeTypes, unknownTypes)
	for _, id := range slices.Sorted(maps.Keys(s.Resources)) {
		r := s.Resources[id]
		if made, err := s.evaluateCondition(r.Condition); err == nil && made && !slices.Contains(known, r.Type) {
			return fmt.Errorf("%s: cmd/cost does not know what %s costs", id, r.Type)
		}
	}
	return nil
}
