package main

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/datastorage-service/datastorage/internal/sam/cloudformation"
)

// stack is what a template makes with the values of its parameters.
type stack struct{ *cloudformation.Stack }

// newStack returns the stack of a template with values of parameters, and the defaults of the others.
func newStack(content []byte, overrides map[string]string) (stack, error) {
	template, err := cloudformation.Read(content)
	if err != nil {
		return stack{}, err
	}
	evaluated, err := cloudformation.NewStack(template, overrides)
	return stack{evaluated}, err
}

// resourcesMade yields the resources that are made, of one of the types if there are any, in the order of their logical IDs.
func (s stack) resourcesMade(types ...string) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		resources, _ := s.Template["Resources"].(cloudformation.Tree)
		for _, id := range slices.Sorted(maps.Keys(resources)) {
			r := resources[id]
			isType := len(types) == 0 || slices.Contains(types, fmt.Sprint(cloudformation.ValueAt(r, "Type")))
			if isType && s.IsMade(r) && !yield(id, r) {
				return
			}
		}
	}
}

// countResources returns the number of resources of a type that are made.
func (s stack) countResources(kind string) float64 {
	count := 0.0
	for range s.resourcesMade(kind) {
		count++
	}
	return count
}

// number returns a number at a path of keys below the properties of a resource.
func (s stack) number(r any, path ...string) (float64, error) {
	number, err := strconv.ParseFloat(fmt.Sprint(s.Property(r, path...)), 64)
	if err != nil {
		return 0, fmt.Errorf("%s is not a number: %w", strings.Join(path, "."), err)
	}
	return number, nil
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
func (s stack) checkPriced() error {
	known := slices.Concat(pricedTypes, freeTypes, unknownTypes)
	for id, r := range s.resourcesMade() {
		if kind := fmt.Sprint(cloudformation.ValueAt(r, "Type")); !slices.Contains(known, kind) {
			return fmt.Errorf("%s: cmd/cost does not know what %s costs", id, kind)
		}
	}
	return nil
}
