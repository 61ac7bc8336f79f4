package datastorage_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/migrations"
)

// The tests of this file hold template.yaml to the code and to itself, as far as cfn-lint does not.

// tree is a template with its intrinsic functions in their long form: {"Ref": name}, {"Fn::GetAtt": [name, attribute]}, …
type tree = map[string]any

func readTemplate(t *testing.T) tree {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, "template.yaml")), &document); err != nil {
		t.Fatal(err)
	}
	root, ok := plain(t, document.Content[0]).(tree)
	if !ok {
		t.Fatal("template.yaml is no mapping")
	}
	return root
}

// plain is a node as JSON has it.
func plain(t *testing.T, node *yaml.Node) any {
	t.Helper()
	var value any
	switch node.Kind {
	case yaml.MappingNode:
		mapping := tree{}
		for i := 0; i < len(node.Content); i += 2 {
			mapping[node.Content[i].Value] = plain(t, node.Content[i+1])
		}
		value = mapping
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range node.Content {
			list = append(list, plain(t, item))
		}
		value = list
	case yaml.ScalarNode:
		value = node.Value
	default:
		t.Fatalf("template.yaml:%d: CloudFormation knows no aliases", node.Line)
	}
	switch tag := node.Tag; {
	case tag == "!Ref", tag == "!Condition":
		return tree{tag[1:]: value}
	case tag == "!GetAtt":
		name, attribute, _ := strings.Cut(node.Value, ".")
		return tree{"Fn::GetAtt": []any{name, attribute}}
	case strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!"):
		return tree{"Fn::" + tag[1:]: value}
	}
	return value
}

// at goes down a path of keys; what is not there is nil.
func at(value any, path ...string) any {
	for _, key := range path {
		mapping, _ := value.(tree)
		value = mapping[key]
	}
	return value
}

func list(value any) []any {
	if items, ok := value.([]any); ok {
		return items
	}
	if value == nil {
		return nil
	}
	return []any{value}
}

// names are the parameters and resources that a value refers to.
func names(value any) []string {
	var found []string
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			found = append(found, names(item)...)
		}
	case tree:
		for key, inner := range v {
			switch key {
			case "Ref":
				found = append(found, fmt.Sprint(inner))
			case "Fn::GetAtt":
				found = append(found, fmt.Sprint(list(inner)[0]))
			case "Fn::Sub":
				for _, match := range regexp.MustCompile(`\$\{([A-Za-z0-9:]+)[^}]*\}`).FindAllStringSubmatch(fmt.Sprint(list(inner)[0]), -1) {
					if len(list(inner)) < 2 || at(list(inner)[1], match[1]) == nil {
						found = append(found, match[1])
					}
				}
				found = append(found, names(list(inner)[1:])...)
			default:
				found = append(found, names(inner)...)
			}
		}
	}
	return found
}

// ofType are the resources of a type by logical id.
func ofType(template tree, kind string) map[string]tree {
	found := map[string]tree{}
	for id, resource := range template["Resources"].(tree) {
		if at(resource, "Type") == kind {
			found[id], _ = at(resource, "Properties").(tree)
		}
	}
	return found
}

// statement is one of a policy, and where it stands.
type statement struct {
	where string
	tree
}

// statements are those of every policy in the template.
func statements(template tree) []statement {
	var all []statement
	add := func(id string, document any) {
		for _, s := range list(at(document, "Statement")) {
			all = append(all, statement{id, s.(tree)})
		}
	}
	for id, role := range ofType(template, "AWS::IAM::Role") {
		for _, policy := range list(role["Policies"]) {
			add(id, at(policy, "PolicyDocument"))
		}
	}
	for id, policy := range ofType(template, "AWS::IAM::ManagedPolicy") {
		add(id, policy["PolicyDocument"])
	}
	for id, key := range ofType(template, "AWS::KMS::Key") {
		add(id, key["KeyPolicy"])
	}
	for id, queue := range ofType(template, "AWS::SQS::QueuePolicy") {
		add(id, queue["PolicyDocument"])
	}
	return all
}

// stars are the statements whose resource is *, each with its reason beside it in template.yaml.
var stars = []string{"NetworkInterfaces", "Traces", "KeyOfTheAccount", "KeyOfTheLogs", "KeyOfTheAlarms"}

// TestPolicies shows that a policy allows named actions on resources that the template has, and everything nowhere.
func TestPolicies(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	resources, parameters := template["Resources"].(tree), template["Parameters"].(tree)
	all := statements(template)
	if len(all) < 25 {
		t.Fatalf("found %d statements only", len(all))
	}
	var used []string
	for _, s := range all {
		if s.tree["Effect"] != "Allow" || s.tree["NotAction"] != nil || s.tree["NotResource"] != nil {
			t.Errorf("%s: a statement must allow what it names: %v", s.where, s.tree)
		}
		for _, action := range list(s.tree["Action"]) {
			if wide := strings.HasSuffix(fmt.Sprint(action), ":*") || action == "*"; wide && s.tree["Sid"] != "KeyOfTheAccount" {
				t.Errorf("%s allows %v", s.where, action)
			}
		}
		for _, resource := range list(s.tree["Resource"]) {
			if resource == "*" {
				used = append(used, fmt.Sprint(s.tree["Sid"]))
				continue
			}
			of := names(resource)
			for _, name := range of {
				if !strings.HasPrefix(name, "AWS::") && resources[name] == nil && parameters[name] == nil {
					t.Errorf("%s names %s, which does not exist", s.where, name)
				}
			}
			own := slices.ContainsFunc(of, func(name string) bool { return resources[name] != nil })
			model := strings.Contains(fmt.Sprint(resource), "::foundation-model/") && !strings.Contains(fmt.Sprint(resource), "*")
			if !own && !model {
				t.Errorf("%s: %v is nothing of this template's", s.where, resource)
			}
		}
	}
	slices.Sort(used)
	if want := slices.Sorted(slices.Values(stars)); !slices.Equal(used, want) {
		t.Errorf("* is the resource of %v, wanted of %v", used, want)
	}
}

// TestDatabaseRoles holds each function to the one role of the database that it needs: only migrate has a password, and reads are reads.
func TestDatabaseRoles(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	want := map[string]string{
		"WriteFunction": "datastorage_writer", "BulkFunction": "datastorage_writer", "MaintainFunction": "datastorage_writer",
		"QueryFunction": "datastorage_reader", "HealthFunction": "datastorage_reader", "MigrateFunction": "",
	}
	taken := map[string]bool{}
	for id, function := range ofType(template, "AWS::Serverless::Function") {
		role := names(function["Role"])[0]
		if taken[role] {
			t.Errorf("%s has the role of another function, %s", id, role)
		}
		taken[role] = true
		var users, secrets []string
		for _, s := range statements(template) {
			text := fmt.Sprint(s.tree)
			if s.where == role && strings.Contains(text, "rds-db:connect") {
				users = append(users, regexp.MustCompile(`datastorage_\w+`).FindString(text))
			}
			if s.where == role && strings.Contains(text, "secretsmanager:") {
				secrets = append(secrets, role)
			}
		}
		if got := strings.Join(users, " "); got != want[id] {
			t.Errorf("%s may connect as %q, want %q", id, got, want[id])
		}
		if (len(secrets) > 0) != (id == "MigrateFunction") {
			t.Errorf("%s and secrets: %v", id, secrets)
		}
		url := fmt.Sprint(at(function, "Environment", "Variables", "DATASTORAGE_DATABASE_URL"))
		if !strings.Contains(url, "sslmode=verify-full") || want[id] != "" && !strings.Contains(url, "//"+want[id]+"@") {
			t.Errorf("%s connects to %s", id, url)
		}
	}
	if len(taken) != len(want) {
		t.Errorf("%d functions, want %d", len(taken), len(want))
	}
}

// runtimeSettings are Go's own.
var runtimeSettings = []string{"GOGC", "GOMEMLIMIT"}

// TestFunctionSettings checks that the template gives the functions no variable that they do not read.
func TestFunctionSettings(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	known := append(functionVariables(t), runtimeSettings...)
	checked := 0
	variables := at(template, "Globals", "Function", "Environment", "Variables").(tree)
	sets := []tree{variables}
	for _, function := range ofType(template, "AWS::Serverless::Function") {
		sets = append(sets, at(function, "Environment", "Variables").(tree))
	}
	for _, set := range sets {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			checked++
			if !slices.Contains(known, name) {
				t.Errorf("template.yaml sets %s, which the functions do not read", name)
			}
		}
	}
	if checked < 20 {
		t.Errorf("looked at %d settings only", checked)
	}
}

// TestMetricsOfAlarms shows that alarms and dashboard look at metrics that are emitted, under the dimensions and values that they have, and
// that the dashboard has all of them.
func TestMetricsOfAlarms(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	metrics := map[string]telemetry.Metric{}
	for _, metric := range telemetry.Metrics() {
		metrics[metric.Name()] = metric
	}
	sets := local.ClosedSets()
	seen := map[string]bool{}
	check := func(where, name string, dimensions map[string]string) {
		seen[name] = true
		metric, known := metrics[name]
		if !known {
			t.Errorf("%s: nothing emits %s", where, name)
			return
		}
		if got, want := slices.Sorted(maps.Keys(dimensions)), slices.Sorted(slices.Values(metric.Dimensions())); !slices.Equal(got, want) {
			t.Errorf("%s: %s has the dimensions %v, not %v", where, name, want, got)
		}
		for dimension, value := range dimensions {
			if value != "" && !slices.Contains(sets.Values(metric, dimension), value) {
				t.Errorf("%s: %s has no %s %s", where, name, dimension, value)
			}
		}
	}
	alarms := 0
	var ofAlarm func(where string, value any)
	ofAlarm = func(where string, value any) {
		for _, item := range list(value) {
			mapping, _ := item.(tree)
			if mapping["Namespace"] == telemetry.Namespace {
				dimensions := map[string]string{}
				for _, dimension := range list(mapping["Dimensions"]) {
					dimensions[fmt.Sprint(at(dimension, "Name"))] = fmt.Sprint(at(dimension, "Value"))
				}
				alarms++
				check(where, fmt.Sprint(mapping["MetricName"]), dimensions)
			}
			for _, inner := range mapping {
				ofAlarm(where, inner)
			}
		}
	}
	for id, alarm := range ofType(template, "AWS::CloudWatch::Alarm") {
		ofAlarm(id, alarm)
	}
	if alarms < 15 {
		t.Errorf("%d alarms look at the service's metrics", alarms)
	}
	clear(seen)
	for _, metric := range dashboardMetrics(t, template) {
		check("Dashboard", metric[0], dimensionsOf(metric[1:]))
	}
	for name := range metrics {
		if !seen[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

func dimensionsOf(names []string) map[string]string {
	dimensions := map[string]string{}
	for _, name := range names {
		dimensions[name] = ""
	}
	return dimensions
}

// dashboardMetrics are the service's metrics on the dashboard, each with its dimensions' names.
func dashboardMetrics(t *testing.T, template tree) [][]string {
	t.Helper()
	var body struct {
		Widgets []struct {
			Properties struct {
				Metrics [][]any `json:"metrics"`
			} `json:"properties"`
		} `json:"widgets"`
	}
	for _, dashboard := range ofType(template, "AWS::CloudWatch::Dashboard") {
		if err := json.Unmarshal([]byte(fmt.Sprint(at(dashboard["DashboardBody"], "Fn::Sub"))), &body); err != nil {
			t.Fatalf("the dashboard is no JSON: %v", err)
		}
	}
	search := regexp.MustCompile(`\{DataStorage([^}]*)\} MetricName="(\w+)"`)
	var found [][]string
	for _, widget := range body.Widgets {
		for _, metric := range widget.Properties.Metrics {
			if expression, ok := metric[0].(map[string]any); ok {
				match := search.FindStringSubmatch(fmt.Sprint(expression["expression"]))
				if match == nil {
					t.Fatalf("no search of the service's metrics: %v", expression)
				}
				dimensions := strings.FieldsFunc(match[1], func(r rune) bool { return r == ',' })
				found = append(found, append([]string{match[2]}, dimensions...))
			} else if metric[0] == telemetry.Namespace {
				found = append(found, []string{fmt.Sprint(metric[1])})
			}
		}
	}
	return found
}

// contractAccess is the security that each operation of openapi.yaml must have at the gateway, by method and path.
func contractAccess(t *testing.T) map[string]string {
	t.Helper()
	type security []map[string][]string
	var contract struct {
		Security security                        `yaml:"security"`
		Paths    map[string]map[string]yaml.Node `yaml:"paths"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "openapi.yaml")), &contract); err != nil {
		t.Fatal(err)
	}
	access := map[string]string{"any $default": "[map[Caller:[]]]"}
	for path, operations := range contract.Paths {
		for method, node := range operations {
			if method == "parameters" {
				continue
			}
			operation := struct {
				Security security `yaml:"security"`
			}{contract.Security}
			if err := node.Decode(&operation); err != nil {
				t.Fatal(err)
			}
			access[method+" "+path] = "[]"
			if len(operation.Security) > 0 {
				access[method+" "+path] = fmt.Sprintf("[map[Caller:map[Fn::If:[Jwt %v []]]]]", operation.Security[0]["jwt"])
			}
		}
	}
	return access
}

// TestAccess holds the security of each route at the gateway to that of its operation in openapi.yaml.
func TestAccess(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	want := contractAccess(t)
	got := map[string]string{}
	for path, operations := range at(ofType(template, "AWS::Serverless::HttpApi")["Api"], "DefinitionBody", "paths").(tree) {
		for method, operation := range operations.(tree) {
			method = strings.TrimSuffix(strings.TrimPrefix(method, "x-amazon-apigateway-"), "-method")
			got[method+" "+path] = fmt.Sprint(at(operation, "security"))
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("access is\n%v\nwant\n%v", got, want)
	}
	routed := 0
	for id, function := range ofType(template, "AWS::Serverless::Function") {
		events, _ := function["Events"].(tree)
		for name, event := range events {
			if at(event, "Type") != "HttpApi" {
				continue
			}
			routed++
			key := strings.ToLower(fmt.Sprint(at(event, "Properties", "Method"))) + " " + fmt.Sprint(at(event, "Properties", "Path"))
			if _, listed := got[key]; !listed || fmt.Sprint(names(at(event, "Properties", "ApiId"))) != "[Api]" {
				t.Errorf("event %s of %s: %s is open to everybody", name, id, key)
			}
		}
	}
	if routed != len(got) {
		t.Errorf("%d routes have a function, %d have an access rule", routed, len(got))
	}
}

// TestQueue holds the bulk consumer to Lambda's rules for queues.
func TestQueue(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	queue, bulk := ofType(template, "AWS::SQS::Queue")["BulkQueue"], ofType(template, "AWS::Serverless::Function")["BulkFunction"]
	visibility, err := strconv.Atoi(fmt.Sprint(queue["VisibilityTimeout"]))
	timeout, timeoutErr := strconv.Atoi(fmt.Sprint(bulk["Timeout"]))
	if err != nil || timeoutErr != nil || visibility < 6*timeout {
		t.Errorf("messages are hidden for %d s, six times the function's %d s are needed", visibility, timeout)
	}
	source := at(bulk, "Events", "Queue", "Properties")
	if fmt.Sprint(at(source, "FunctionResponseTypes")) != "[ReportBatchItemFailures]" || at(source, "ScalingConfig", "MaximumConcurrency") == nil {
		t.Errorf("event source %v", source)
	}
	if fmt.Sprint(names(at(queue, "RedrivePolicy", "deadLetterTargetArn"))) != "[DeadLetterQueue]" {
		t.Error("what cannot be delivered goes nowhere")
	}
	for id, q := range ofType(template, "AWS::SQS::Queue") {
		if at(q, "KmsMasterKeyId") == nil {
			t.Errorf("%s is not encrypted with the deployment's key", id)
		}
	}
}

var update = flag.Bool("update", false, "write SchemaVersion into template.yaml")

func writeSchemaVersion(t *testing.T) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^( +SchemaVersion: )".*"$`)
	text := line.ReplaceAllString(read(t, "template.yaml"), `${1}"`+migrations.Digest()+`"`)
	if err := os.WriteFile("template.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDeploymentOrder shows that a new schema makes migrate run, before any function that needs it has new code, and that what sends a new
// version back exists and does not wait for it.
func TestDeploymentOrder(t *testing.T) {
	t.Parallel()
	if *update {
		writeSchemaVersion(t)
	}
	template := readTemplate(t)
	migration := ofType(template, "Custom::Migration")["Migration"]
	if got, want := migration["SchemaVersion"], migrations.Digest(); got != want {
		t.Errorf("template.yaml: SchemaVersion is %v, the digest of migrations/ is %s: run make generate", got, want)
	}
	resources := template["Resources"].(tree)
	for id, function := range ofType(template, "AWS::Serverless::Function") {
		waits := slices.Contains(list(at(resources[id], "DependsOn")), any("Migration"))
		if waits != (id != "MigrateFunction") {
			t.Errorf("%s waits for the migration: %v", id, waits)
		}
		if id == "MigrateFunction" || id == "MaintainFunction" {
			continue
		}
		alarms := list(at(function, "DeploymentPreference", "Alarms"))
		if len(alarms) == 0 || function["AutoPublishAlias"] == nil {
			t.Errorf("%s: its new versions are not watched", id)
		}
		for _, alarm := range names(alarms) {
			if of := names(resources[alarm]); resources[alarm] == nil || slices.Contains(of, "Api") {
				t.Errorf("%s is watched by %s, which names %v", id, alarm, of)
			}
		}
	}
	for _, line := range strings.Split(read(t, "samconfig.toml"), "\n") {
		if strings.HasPrefix(line, "cached") && line != "cached = false" {
			t.Errorf("samconfig.toml: %s would deploy old code when only internal/ has changed", line)
		}
	}
}

// TestLogs shows that every function writes into a log group of its own that ends, and may write nowhere else.
func TestLogs(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	groups := ofType(template, "AWS::Logs::LogGroup")
	for id, group := range groups {
		if group["RetentionInDays"] == nil || group["KmsKeyId"] == nil {
			t.Errorf("%s is kept for ever, or in the clear", id)
		}
	}
	for id, function := range ofType(template, "AWS::Serverless::Function") {
		group := strings.Replace(id, "Function", "Logs", 1)
		if got := names(at(function, "LoggingConfig", "LogGroup")); fmt.Sprint(got) != "["+group+"]" || groups[group] == nil {
			t.Errorf("%s logs into %v", id, got)
		}
		for _, s := range statements(template) {
			if s.where == names(function["Role"])[0] && strings.Contains(fmt.Sprint(s.tree["Action"]), "logs:") &&
				fmt.Sprint(names(s.tree["Resource"])) != "["+group+"]" {
				t.Errorf("%s may write into %v", id, s.tree["Resource"])
			}
		}
	}
}

// TestEventsAreSent shows that every sample event is sent to its function, in process and in the emulator, by the tests beside the handlers.
func TestEventsAreSent(t *testing.T) {
	t.Parallel()
	var sent strings.Builder
	for _, pattern := range []string{"internal/*/handler_test.go", "internal/*/testdata/*.in.json"} {
		for _, path := range glob(t, pattern) {
			sent.WriteString(read(t, path))
		}
	}
	all := glob(t, "events/*.json")
	for _, path := range all {
		if name := strings.TrimSuffix(filepath.Base(path), ".json"); !strings.Contains(sent.String(), `"`+name+`"`) {
			t.Errorf("nothing sends %s", path)
		}
	}
	if len(all) < 16 {
		t.Errorf("%d events only", len(all))
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
