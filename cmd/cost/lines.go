package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/datastorage-service/datastorage/internal/sam/cloudformation"
)

// line is one line of a bill: a product of factors, in units of a price.
type line struct {
	name    string
	price   string // ID of a list price
	factors []factor
	// scale converts the product of factors to the unit of the price; 0 means 1.
	scale float64
}

type factor struct {
	value float64
	unit  string
}

// amount returns the quantity of a line in units of its price.
func (l line) amount() float64 {
	product := 1.0
	if l.scale != 0 {
		product = l.scale
	}
	for _, f := range l.factors {
		product *= f.value
	}
	return product
}

// arithmetic prints the factors.
func (l line) arithmetic() string {
	terms := make([]string, len(l.factors))
	for i, f := range l.factors {
		terms[i] = strings.TrimSpace(formatNumber(f.value) + " " + f.unit)
	}
	return strings.Join(terms, " × ")
}

// Factors of conversion to the unit of a price.
const (
	millionth = 1e-6
	bytesToGB = 1e-9
)

// The instance classes with a price: that of Aurora Serverless v2 in a cluster, and one for an instance of its own.
const (
	serverlessClass = "db.serverless"
	instanceClass   = "db.t4g.medium"
)

// idleLines returns what a stack costs in a month without requests.
func idleLines(s stack, t tables) ([]line, error) {
	hours := t.factor("month-hours")
	capacity, capacityErr := databaseCapacity(s)
	runs, runsErr := scheduledRuns(s, hours.value)
	proxied := max(capacity, t.factor("proxy-minimum").value)
	polls := 3600 / t.factor("queue-wait").value
	own, ownErr := instanceLines(s, hours)
	lines := []line{
		{"Aurora at its minimum capacity", "acu-hour", []factor{{capacity, "ACU"}, hours}, 0},
		{"RDS Proxy, for at least 8 ACU", "proxy-acu-hour", []factor{{s.countResources("AWS::RDS::DBProxy"), "proxy"}, {proxied, "ACU"}, hours}, 0},
		{"interface endpoints", "endpoint-hour", []factor{{endpointZones(s), "endpoints in zones"}, hours}, 0},
		{"keys", "key-month", []factor{{s.countResources("AWS::KMS::Key"), "keys"}}, 0},
		{"the owner's password", "secret-month", []factor{{ownerSecrets(s), "secret"}}, 0},
		{"alarms", "alarm-metric-month", []factor{{alarmMetrics(s), "metrics"}}, 0},
		{"dashboard", "dashboard-month", []factor{{s.countResources("AWS::CloudWatch::Dashboard"), "dashboard"}}, 0},
		{"metrics of the maintain function", "custom-metric-month", []factor{t.factor("idle-series")}, 0},
		{"its log and metrics", "log-gb", []factor{{runs, "runs"}, t.factor("run-log")}, bytesToGB},
		{"its traces", "trace-million", []factor{{runs, "runs"}}, millionth},
		{"polls of the empty queue", "sqs-million", []factor{t.factor("queue-pollers"), {polls, "polls/h"}, hours}, millionth},
	}
	return append(lines, own...), errors.Join(capacityErr, runsErr, ownErr)
}

// instanceLines returns what a database without a cluster costs; a standby is charged like the instance.
func instanceLines(s stack, hours factor) ([]line, error) {
	count, storage := 0.0, 0.0
	for id, instance := range s.resourcesMade("AWS::RDS::DBInstance") {
		if s.Property(instance, "DBClusterIdentifier") != nil {
			continue
		}
		if class := s.Property(instance, "DBInstanceClass"); class != instanceClass {
			return nil, fmt.Errorf("%s: prices.yaml has no price for an instance of class %q", id, class)
		}
		size, err := s.number(instance, "AllocatedStorage")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		copies := map[bool]float64{true: 2, false: 1}[s.Property(instance, "MultiAZ") == "true"]
		count += copies
		storage += copies * size
	}
	if count == 0 {
		return nil, nil
	}
	if s.countResources("AWS::RDS::DBProxy") > 0 {
		return nil, errors.New("prices.yaml has no price for a proxy of an instance")
	}
	return []line{
		{"instance, with its standby", "instance-hour", []factor{{count, "instances"}, hours}, 0},
		{"its storage", "instance-gb-month", []factor{{storage, "GB"}}, 0},
	}, nil
}

// writeLines returns what a million single writes of known incidents cost on top. A month of storage is
// included; logs are kept as long as the stack keeps them.
func writeLines(s stack, t tables) ([]line, error) {
	retention, err := strconv.ParseFloat(s.Values["LogRetentionDays"], 64)
	if err != nil {
		return nil, fmt.Errorf("LogRetentionDays: %w", err)
	}
	million := factor{1e6, "requests"}
	megabytes, err := strconv.ParseFloat(fmt.Sprint(s.Resolve(cloudformation.ValueAt(s.Template, "Globals", "Function", "MemorySize"))), 64)
	if err != nil {
		return nil, fmt.Errorf("MemorySize: %w", err)
	}
	memory := factor{megabytes / 1024, "GB"}
	return []line{
		{"HTTP API", "http-api-million", []factor{million}, millionth},
		{"Lambda requests", "lambda-million", []factor{million}, millionth},
		{"Lambda time, for each 10 ms that a write takes", "lambda-gb-second", []factor{million, {0.01, "s"}, memory}, 0},
		{"database capacity above the minimum", "acu-hour", []factor{million, t.factor("write-processor"), t.factor("acu-per-processor")}, 1.0 / 3600},
		{"database storage", "database-gb-month", []factor{million, t.factor("remediation")}, bytesToGB},
		{"log and metrics, written", "log-gb", []factor{million, t.factor("request-log")}, bytesToGB},
		{"log and metrics, kept", "log-gb-month", []factor{million, t.factor("request-log"), {retention, "days"}}, bytesToGB * 12 / 365},
		{"traces, at less than a write a second", "trace-million", []factor{million}, millionth},
	}, nil
}

// queueLines returns what replaces the API's and Lambda's requests if the records are sent through the
// queue, in arrays of 100.
func queueLines(stack, tables) ([]line, error) {
	messages := factor{1e4, "messages"}
	return []line{
		{"SQS: send, receive, delete", "sqs-million", []factor{messages, {3, "requests"}}, millionth},
		{"Lambda requests, at most", "lambda-million", []factor{messages}, millionth},
	}, nil
}

// databaseCapacity returns the minimum capacity of all instances, in ACU.
func databaseCapacity(s stack) (float64, error) {
	instances := 0.0
	for id, instance := range s.resourcesMade("AWS::RDS::DBInstance") {
		if s.Property(instance, "DBClusterIdentifier") == nil {
			continue
		}
		if class := s.Property(instance, "DBInstanceClass"); class != serverlessClass {
			return 0, fmt.Errorf("%s: prices.yaml has no price for an instance of class %q", id, class)
		}
		instances++
	}
	for id, cluster := range s.resourcesMade("AWS::RDS::DBCluster") {
		minimum, err := s.number(cluster, "ServerlessV2ScalingConfiguration", "MinCapacity")
		if err != nil {
			return 0, fmt.Errorf("%s: %w", id, err)
		}
		return instances * minimum, nil
	}
	return 0, nil
}

// endpointZones returns the number of interface endpoints, each counted once for each of its zones.
func endpointZones(s stack) float64 {
	zones := 0
	for _, endpoint := range s.resourcesMade("AWS::EC2::VPCEndpoint") {
		if s.Property(endpoint, "VpcEndpointType") == "Interface" {
			zones += len(cloudformation.List(s.Property(endpoint, "SubnetIds")))
		}
	}
	return float64(zones)
}

// alarmMetrics returns the number of metrics that alarms watch: CloudWatch charges an alarm on an
// expression for each metric in it.
func alarmMetrics(s stack) float64 {
	count := 0
	for _, alarm := range s.resourcesMade("AWS::CloudWatch::Alarm") {
		isExpression := func(metric any) bool { return cloudformation.ValueAt(metric, "MetricStat") == nil }
		count += max(1, len(slices.DeleteFunc(cloudformation.List(s.Property(alarm, "Metrics")), isExpression)))
	}
	return float64(count)
}

// scheduledRuns returns how often schedules invoke functions in a month of so many hours.
func scheduledRuns(s stack, hours float64) (float64, error) {
	runs := 0.0
	for id, function := range s.resourcesMade("AWS::Serverless::Function") {
		events, _ := s.Property(function, "Events").(cloudformation.Tree)
		for _, event := range events {
			if cloudformation.ValueAt(event, "Type") != "Schedule" {
				continue
			}
			schedule := fmt.Sprint(cloudformation.ValueAt(event, "Properties", "Schedule"))
			var minutes float64
			if _, err := fmt.Sscanf(schedule, "rate(%f minutes)", &minutes); err != nil {
				return 0, fmt.Errorf("%s: the schedule %q is not a number of minutes: %w", id, schedule, err)
			}
			runs += hours * 60 / minutes
		}
	}
	return runs, nil
}

// ownerSecrets returns the number of passwords that RDS keeps in Secrets Manager.
func ownerSecrets(s stack) float64 {
	count := 0.0
	for _, database := range s.resourcesMade("AWS::RDS::DBCluster", "AWS::RDS::DBInstance") {
		if s.Property(database, "ManageMasterUserPassword") == "true" {
			count++
		}
	}
	return count
}

// formatNumber prints a number with separators of thousands and without an exponent.
func formatNumber(value float64) string {
	text := strconv.FormatFloat(value, 'f', -1, 64)
	whole, fraction, fractional := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fractional {
		return whole + "." + fraction
	}
	return whole
}

// roundCents rounds an amount of money to cents, as each line of a bill is.
func roundCents(usd float64) float64 { return math.Round(usd*100) / 100 }
