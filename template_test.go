package datastorage_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/sam/cloudformation"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// The tests of this file check template.yaml against the code and against itself, where cfn-lint does not.

type tree = cloudformation.Tree

func readTemplate(t *testing.T) tree {
	t.Helper()
	root, err := cloudformation.Read([]byte(read(t, "template.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func valueAt(value any, path ...string) any { return cloudformation.ValueAt(value, path...) }

func asList(value any) []any { return cloudformation.List(value) }

// referencedNames returns the names of parameters and resources that a value refers to.
func referencedNames(value any) []string {
	var found []string
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			found = append(found, referencedNames(item)...)
		}
	case tree:
		for key, inner := range v {
			switch key {
			case "Ref":
				found = append(found, fmt.Sprint(inner))
			case "Fn::GetAtt":
				found = append(found, fmt.Sprint(asList(inner)[0]))
			case "Fn::Sub":
				for _, match := range regexp.MustCompile(`\$\{([A-Za-z0-9:]+)[^}]*\}`).FindAllStringSubmatch(fmt.Sprint(asList(inner)[0]), -1) {
					if len(asList(inner)) < 2 || valueAt(asList(inner)[1], match[1]) == nil {
						found = append(found, match[1])
					}
				}
				found = append(found, referencedNames(asList(inner)[1:])...)
			default:
				found = append(found, referencedNames(inner)...)
			}
		}
	}
	return found
}

// resourcesOfType returns the properties of all resources of a type, by logical ID.
func resourcesOfType(template tree, kind string) map[string]tree {
	found := map[string]tree{}
	for id, resource := range template["Resources"].(tree) {
		if valueAt(resource, "Type") == kind {
			found[id], _ = valueAt(resource, "Properties").(tree)
		}
	}
	return found
}

// policyStatement is a policy statement with the logical ID of its resource.
type policyStatement struct {
	where string
	tree
}

// policyStatements returns the statements of every policy in the template.
func policyStatements(template tree) []policyStatement {
	var all []policyStatement
	add := func(id string, document any) {
		for _, s := range asList(valueAt(document, "Statement")) {
			if choice := asList(valueAt(s, "Fn::If")); choice != nil { // a statement by a condition, or none
				s = choice[1]
			}
			all = append(all, policyStatement{id, s.(tree)})
		}
	}
	for id, role := range resourcesOfType(template, "AWS::IAM::Role") {
		for _, policy := range asList(role["Policies"]) {
			add(id, valueAt(policy, "PolicyDocument"))
		}
	}
	for id, policy := range resourcesOfType(template, "AWS::IAM::ManagedPolicy") {
		add(id, policy["PolicyDocument"])
	}
	for id, key := range resourcesOfType(template, "AWS::KMS::Key") {
		add(id, key["KeyPolicy"])
	}
	for id, queue := range resourcesOfType(template, "AWS::SQS::QueuePolicy") {
		add(id, queue["PolicyDocument"])
	}
	return all
}

// wildcardStatements has the Sids of the statements whose resource is *. template.yaml gives the reason for each.
var wildcardStatements = []string{"NetworkInterfaces", "Traces", "KeyOfTheAccount", "OwnerKeyOfTheAccount", "KeyOfTheLogs", "KeyOfTheAlarms", "KeyOfTheSenders"}

// givenResources are the parameters that name resources outside the template, in EmbeddingPolicy alone.
var givenResources = []string{
	"EmbeddingProfile", "EmbeddingNextProfile", "EmbeddingApiKeySecretArn", "EmbeddingNextApiKeySecretArn", "EmbeddingKeyArn",
}

// isModel reports whether a resource is a named model, in this region or, by an inference profile alone, in others.
func isModel(resource any, statement tree) bool {
	text := fmt.Sprint(resource)
	byProfile := valueAt(statement, "Condition", "StringEquals", "bedrock:InferenceProfileArn") != nil
	return strings.Contains(text, "::foundation-model/${Model}") &&
		(byProfile || strings.Contains(text, ":bedrock:${AWS::Region}::foundation-model/"))
}

// TestPolicies checks that policies allow only named actions, and only on resources of the template.
func TestPolicies(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	resources, parameters := template["Resources"].(tree), template["Parameters"].(tree)
	all := policyStatements(template)
	if len(all) < 25 {
		t.Fatalf("found only %d statements", len(all))
	}
	var used []string
	for _, s := range all {
		if s.tree["Sid"] == "OverTLS" {
			if s.tree["Effect"] != "Deny" || fmt.Sprint(s.tree["Condition"]) != "map[Bool:map[aws:SecureTransport:false]]" {
				t.Errorf("%s does not refuse plain HTTP: %v", s.where, s.tree)
			}
			continue
		}
		isKeyPolicy := s.tree["Principal"] != nil && s.tree["Sid"] != "KeyOfTheSenders"
		if strings.Contains(fmt.Sprint(s.tree["Action"]), "kms:") && !isKeyPolicy && valueAt(s.tree, "Condition", "StringEquals", "kms:ViaService") == nil {
			t.Errorf("%s allows the use of a key for more than one service: %v", s.where, s.tree)
		}
		if s.tree["Effect"] != "Allow" || s.tree["NotAction"] != nil || s.tree["NotResource"] != nil {
			t.Errorf("%s: a statement must be Allow with Action and Resource: %v", s.where, s.tree)
		}
		for _, action := range asList(s.tree["Action"]) {
			if wide := strings.HasSuffix(fmt.Sprint(action), ":*") || action == "*"; wide && !strings.HasSuffix(fmt.Sprint(s.tree["Sid"]), "KeyOfTheAccount") {
				t.Errorf("%s allows %v", s.where, action)
			}
		}
		for _, resource := range asList(s.tree["Resource"]) {
			if resource == "*" {
				used = append(used, fmt.Sprint(s.tree["Sid"]))
				continue
			}
			referenced := referencedNames(resource)
			for _, name := range referenced {
				if !strings.HasPrefix(name, "AWS::") && resources[name] == nil && parameters[name] == nil {
					t.Errorf("%s names %s, which does not exist", s.where, name)
				}
			}
			own := slices.ContainsFunc(referenced, func(name string) bool { return resources[name] != nil })
			given := s.where == "EmbeddingPolicy" && slices.ContainsFunc(referenced, func(name string) bool { return slices.Contains(givenResources, name) })
			if !own && !given && !isModel(resource, s.tree) {
				t.Errorf("%s: %v is not a resource of this template", s.where, resource)
			}
		}
	}
	slices.Sort(used)
	if want := slices.Sorted(slices.Values(wildcardStatements)); !slices.Equal(used, want) {
		t.Errorf("* is the resource of %v, want %v", used, want)
	}
}

// TestDatabaseRoles checks that each function connects as the one database role it needs,
// that only migrate may read the database's secret, and that all others may call the embedding provider.
func TestDatabaseRoles(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	want := map[string]string{
		"WriteFunction": "datastorage_writer", "BulkFunction": "datastorage_writer", "MaintainFunction": "datastorage_writer",
		"QueryFunction": "datastorage_reader", "HealthFunction": "datastorage_reader", "MigrateFunction": "",
	}
	used := map[string]bool{}
	for id, function := range resourcesOfType(template, "AWS::Serverless::Function") {
		role := referencedNames(function["Role"])[0]
		if used[role] {
			t.Errorf("%s has the role of another function, %s", id, role)
		}
		used[role] = true
		var users, secrets []string
		policies := referencedNames(valueAt(template, "Resources", role, "Properties", "ManagedPolicyArns"))
		for _, s := range policyStatements(template) {
			policy := fmt.Sprint(s.tree)
			if (s.where == role || slices.Contains(policies, s.where)) && strings.Contains(policy, "rds-db:connect") {
				users = append(users, regexp.MustCompile(`datastorage_\w+`).FindString(policy))
			}
			if s.where == role && strings.Contains(policy, "secretsmanager:") {
				secrets = append(secrets, role)
			}
		}
		if got := strings.Join(users, " "); got != want[id] {
			t.Errorf("%s may connect as %q, want %q", id, got, want[id])
		}
		if (len(secrets) > 0) != (id == "MigrateFunction") {
			t.Errorf("%s may read secrets: %v", id, secrets)
		}
		if slices.Contains(policies, "EmbeddingPolicy") != (id != "MigrateFunction") {
			t.Errorf("%s has the policies %v", id, policies)
		}
		url := fmt.Sprint(valueAt(function, "Environment", "Variables", "DATASTORAGE_DATABASE_URL"))
		if !strings.Contains(url, "sslmode=verify-full") || want[id] != "" && !strings.Contains(url, "//"+want[id]+"@") {
			t.Errorf("%s connects to %s", id, url)
		}
	}
	if len(used) != len(want) {
		t.Errorf("%d functions, want %d", len(used), len(want))
	}
}

// runtimeSettings are variables that the Go runtime reads, and the one by which SAM notices a change.
var runtimeSettings = []string{"GOGC", "GOMEMLIMIT", "RELEASE"}

// TestFunctionSettings checks that every variable in the template is one that its function reads.
func TestFunctionSettings(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	known := append(functionVariables(t), runtimeSettings...)
	checked := 0
	variables := valueAt(template, "Globals", "Function", "Environment", "Variables").(tree)
	sets := []tree{variables}
	for _, function := range resourcesOfType(template, "AWS::Serverless::Function") {
		sets = append(sets, valueAt(function, "Environment", "Variables").(tree))
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
		t.Errorf("checked only %d settings", checked)
	}
}

// TestAlarmMetrics checks that alarms and dashboard use metrics, dimensions and values that the functions emit, and that the dashboard
// shows every metric.
func TestAlarmMetrics(t *testing.T) {
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
			t.Errorf("%s: no function emits %s", where, name)
			return
		}
		if got, want := slices.Sorted(maps.Keys(dimensions)), slices.Sorted(slices.Values(metric.Dimensions())); !slices.Equal(got, want) {
			t.Errorf("%s: %s has dimensions %v, got %v", where, name, want, got)
		}
		for dimension, value := range dimensions {
			if dimension != "version" && value != "" && !slices.Contains(sets.Values(metric, dimension), value) {
				t.Errorf("%s: %s has no %s %s", where, name, dimension, value)
			}
		}
	}
	alarms := 0
	var checkAlarm func(where string, value any)
	checkAlarm = func(where string, value any) {
		for _, item := range asList(value) {
			mapping, _ := item.(tree)
			if mapping["Namespace"] == telemetry.Namespace {
				dimensions := map[string]string{}
				for _, dimension := range asList(mapping["Dimensions"]) {
					dimensions[fmt.Sprint(valueAt(dimension, "Name"))] = fmt.Sprint(valueAt(dimension, "Value"))
				}
				alarms++
				check(where, fmt.Sprint(mapping["MetricName"]), dimensions)
			}
			for _, inner := range mapping {
				checkAlarm(where, inner)
			}
		}
	}
	for id, alarm := range resourcesOfType(template, "AWS::CloudWatch::Alarm") {
		checkAlarm(id, alarm)
	}
	if alarms < 15 {
		t.Errorf("only %d alarms use metrics of the service", alarms)
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

// TestFailuresAlarms checks that the alarm of a function's 5xx responses sums the operations of the function's routes. The event of a
// route is named for its operation.
func TestFailuresAlarms(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	alarms := resourcesOfType(template, "AWS::CloudWatch::Alarm")
	for _, function := range []string{"Write", "Query"} {
		var routes, watched []string
		for name := range valueAt(template, "Resources", function+"Function", "Properties", "Events").(tree) {
			if name != "Default" {
				routes = append(routes, strings.ToLower(name[:1])+name[1:])
			}
		}
		for _, metric := range asList(alarms[function+"FailuresAlarm"]["Metrics"]) {
			for _, dimension := range asList(valueAt(metric, "MetricStat", "Metric", "Dimensions")) {
				if valueAt(dimension, "Name") == "operation" {
					watched = append(watched, fmt.Sprint(valueAt(dimension, "Value")))
				}
			}
		}
		slices.Sort(routes)
		slices.Sort(watched)
		if len(routes) < 5 || !slices.Equal(routes, watched) {
			t.Errorf("%sFunction has events for %v; %sFailuresAlarm must sum a metric of each, and sums %v", function, routes, function, watched)
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

// dashboardMetrics returns the service's metrics on the dashboard, each as its name
// followed by the names of its dimensions.
func dashboardMetrics(t *testing.T, template tree) [][]string {
	t.Helper()
	var body struct {
		Widgets []struct {
			Properties struct {
				Metrics [][]any `json:"metrics"`
			} `json:"properties"`
		} `json:"widgets"`
	}
	for _, dashboard := range resourcesOfType(template, "AWS::CloudWatch::Dashboard") {
		if err := json.Unmarshal([]byte(fmt.Sprint(asList(valueAt(dashboard["DashboardBody"], "Fn::Sub"))[0])), &body); err != nil {
			t.Fatalf("the dashboard is not JSON: %v", err)
		}
	}
	search := regexp.MustCompile(`\{DataStorage([^}]*)\} MetricName="(\w+)"`)
	var found [][]string
	for _, widget := range body.Widgets {
		for _, metric := range widget.Properties.Metrics {
			if expression, ok := metric[0].(map[string]any); ok {
				match := search.FindStringSubmatch(fmt.Sprint(expression["expression"]))
				if match == nil {
					t.Fatalf("not a search of the service's metrics: %v", expression)
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

// contractAccess returns, by method and path, the gateway security that openapi.yaml requires of each operation.
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

// TestAccess checks the security of each route at the gateway against its operation in openapi.yaml.
func TestAccess(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	want := contractAccess(t)
	got := map[string]string{}
	for path, operations := range valueAt(resourcesOfType(template, "AWS::Serverless::HttpApi")["Api"], "DefinitionBody", "paths").(tree) {
		for method, operation := range operations.(tree) {
			method = strings.TrimSuffix(strings.TrimPrefix(method, "x-amazon-apigateway-"), "-method")
			got[method+" "+path] = fmt.Sprint(valueAt(operation, "security"))
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("access is\n%v\nwant\n%v", got, want)
	}
	routed := 0
	for id, function := range resourcesOfType(template, "AWS::Serverless::Function") {
		events, _ := function["Events"].(tree)
		for name, event := range events {
			if valueAt(event, "Type") != "HttpApi" {
				continue
			}
			routed++
			key := strings.ToLower(fmt.Sprint(valueAt(event, "Properties", "Method"))) + " " + fmt.Sprint(valueAt(event, "Properties", "Path"))
			if _, listed := got[key]; !listed || fmt.Sprint(referencedNames(valueAt(event, "Properties", "ApiId"))) != "[Api]" {
				t.Errorf("event %s of %s: %s needs no identity", name, id, key)
			}
		}
	}
	if routed != len(got) {
		t.Errorf("%d routes have a function, %d have an access rule", routed, len(got))
	}
}

// TestQueue checks the event source of the bulk consumer against Lambda's rules for queues.
func TestQueue(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	queue, bulk := resourcesOfType(template, "AWS::SQS::Queue")["BulkQueue"], resourcesOfType(template, "AWS::Serverless::Function")["BulkFunction"]
	source := valueAt(bulk, "Events", "Queue", "Properties")
	window, windowErr := strconv.Atoi(fmt.Sprint(valueAt(template, "Parameters", referencedNames(valueAt(source, "MaximumBatchingWindowInSeconds"))[0], "MaxValue")))
	visibility, err := strconv.Atoi(fmt.Sprint(queue["VisibilityTimeout"]))
	timeout, timeoutErr := strconv.Atoi(fmt.Sprint(bulk["Timeout"]))
	if err != nil || timeoutErr != nil || windowErr != nil || visibility < 6*timeout+window {
		t.Errorf("the visibility timeout is %d s, want at least six times the function's timeout of %d s and the window of %d s", visibility, timeout, window)
	}
	if fmt.Sprint(valueAt(source, "FunctionResponseTypes")) != "[ReportBatchItemFailures]" || valueAt(source, "ScalingConfig", "MaximumConcurrency") == nil {
		t.Errorf("event source %v", source)
	}
	if fmt.Sprint(referencedNames(valueAt(queue, "RedrivePolicy", "deadLetterTargetArn"))) != "[DeadLetterQueue]" {
		t.Error("undeliverable messages do not go to DeadLetterQueue")
	}
	for id, q := range resourcesOfType(template, "AWS::SQS::Queue") {
		if policy := resourcesOfType(template, "AWS::SQS::QueuePolicy")["QueuesOverTLS"]; !slices.Contains(referencedNames(policy["Queues"]), id) {
			t.Errorf("%s accepts plain HTTP", id)
		}
		if valueAt(q, "KmsMasterKeyId") == nil {
			t.Errorf("%s is not encrypted with the deployment's key", id)
		}
	}
}

// TestDeploymentOrder checks that a function gets new code only after the database has its instances, the proxy a target, and migrate has run; and
// that the alarms that trigger a rollback exist, watch the new version alone, and do not depend on the API, which depends on it.
func TestDeploymentOrder(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	resources := template["Resources"].(tree)
	for id, waitsFor := range map[string][]string{
		"DatabaseAddress": {"DatabaseWriter"}, "ProxyTargets": {"DatabaseWriter", "DatabaseSecond"}, "ServiceAddress": {"ProxyTargets"},
	} {
		for _, first := range waitsFor {
			if !slices.Contains(referencedNames(resources[id]), first) {
				t.Errorf("%s does not wait for %s", id, first)
			}
		}
	}
	for id, function := range resourcesOfType(template, "AWS::Serverless::Function") {
		waits := slices.Contains(asList(valueAt(resources[id], "DependsOn")), any("Migration"))
		if waits != (id != "MigrateFunction") {
			t.Errorf("%s depends on the migration: %v", id, waits)
		}
		address := map[bool]string{true: "ServiceAddress", false: "DatabaseAddress"}[waits]
		if url := valueAt(function, "Environment", "Variables", "DATASTORAGE_DATABASE_URL"); !slices.Contains(referencedNames(url), address) {
			t.Errorf("%s connects to %v, not to %s", id, url, address)
		}
		if id == "MigrateFunction" || id == "MaintainFunction" {
			continue
		}
		alarms := asList(valueAt(function, "DeploymentPreference", "Alarms"))
		if len(alarms) == 0 || function["AutoPublishAlias"] == nil {
			t.Errorf("%s: no alarm rolls a new version back", id)
		}
		for _, alarm := range referencedNames(alarms) {
			properties := valueAt(resources[alarm], "Properties")
			if watched := fmt.Sprint(valueAt(properties, "Dimensions")); !strings.Contains(watched, "Fn::GetAtt:["+id+" Version.Version]") {
				t.Errorf("%s is rolled back by %s, which watches %s", id, alarm, watched)
			}
			if referenced := referencedNames(properties); slices.Contains(referenced, "Api") {
				t.Errorf("%s is rolled back by %s, which refers to %v", id, alarm, referenced)
			}
		}
	}
	for _, line := range strings.Split(read(t, "samconfig.toml"), "\n") {
		if strings.HasPrefix(line, "cached") && line != "cached = false" {
			t.Errorf("samconfig.toml: %s would deploy old code when only internal/ has changed", line)
		}
	}
}

// TestLogs checks that every function writes only to its own log group, and that log groups are encrypted and expire.
func TestLogs(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	groups := resourcesOfType(template, "AWS::Logs::LogGroup")
	for id, group := range groups {
		if group["RetentionInDays"] == nil || group["KmsKeyId"] == nil {
			t.Errorf("%s has no retention or is not encrypted", id)
		}
	}
	for id, function := range resourcesOfType(template, "AWS::Serverless::Function") {
		group := strings.Replace(id, "Function", "Logs", 1)
		if got := referencedNames(valueAt(function, "LoggingConfig", "LogGroup")); fmt.Sprint(got) != "["+group+"]" || groups[group] == nil {
			t.Errorf("%s logs to %v", id, got)
		}
		for _, s := range policyStatements(template) {
			if s.where == referencedNames(function["Role"])[0] && strings.Contains(fmt.Sprint(s.tree["Action"]), "logs:") &&
				fmt.Sprint(referencedNames(s.tree["Resource"])) != "["+group+"]" {
				t.Errorf("%s may write to %v", id, s.tree["Resource"])
			}
		}
	}
}

// TestEventsAreSent checks that every operation has a sample event, and that every sample event is
// sent to its function by the handler tests, in process and in the emulator.
func TestEventsAreSent(t *testing.T) {
	t.Parallel()
	var sent strings.Builder
	for _, pattern := range []string{"internal/*/handler_test.go", "internal/*/testdata/*.in.json"} {
		for _, path := range matchingPaths(t, pattern) {
			sent.WriteString(read(t, path))
		}
	}
	all := matchingPaths(t, "events/*.json")
	var events strings.Builder
	for _, path := range all {
		events.WriteString(read(t, path))
		if name := strings.TrimSuffix(filepath.Base(path), ".json"); !strings.Contains(sent.String(), `"`+name+`"`) {
			t.Errorf("no test sends %s", path)
		}
	}
	for route := range contractAccess(t) {
		method, path, _ := strings.Cut(route, " ")
		key := strings.ToUpper(method) + " " + path
		if path != "$default" && !strings.Contains(events.String(), `"routeKey": "`+key+`"`) {
			t.Errorf("no event of events/ is a %s", key)
		}
	}
}

func matchingPaths(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestKept checks that keys, queues, logs and backups outlive their stack, but not a first deployment that fails.
func TestKept(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	checked := 0
	for _, kind := range []string{"AWS::KMS::Key", "AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::Backup::BackupVault"} {
		for id := range resourcesOfType(template, kind) {
			checked++
			resource := template["Resources"].(tree)[id]
			if valueAt(resource, "DeletionPolicy") != "RetainExceptOnCreate" || valueAt(resource, "UpdateReplacePolicy") != "Retain" {
				t.Errorf("%s is not kept: %v", id, resource)
			}
		}
	}
	if checked < 15 {
		t.Errorf("%d resources with data", checked)
	}
	for _, id := range []string{"Database", "DatabaseInstance"} {
		if resource := template["Resources"].(tree)[id]; valueAt(resource, "DeletionPolicy") != "Snapshot" || valueAt(resource, "UpdateReplacePolicy") != "Snapshot" {
			t.Errorf("no snapshot of %s remains", id)
		}
	}
}

// TestDatabaseVersions checks that the parameter group follows the version, and which versions are accepted.
func TestDatabaseVersions(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	for id, engine := range map[string]string{"DatabaseSettings": "aurora-postgresql", "InstanceSettings": "postgres"} {
		family := fmt.Sprint(valueAt(template, "Resources", id, "Properties", "Family"))
		if want := "map[Fn::Sub:[" + engine + "${Major} map[Major:map[Fn::Select:[0 map[Fn::Split:[. map[Ref:DatabaseVersion]]]]]]]]"; family != want {
			t.Errorf("the family of %s is %s", id, family)
		}
	}
	parameter := template["Parameters"].(tree)["DatabaseVersion"]
	pattern := regexp.MustCompile("^(?:" + fmt.Sprint(valueAt(parameter, "AllowedPattern")) + ")$")
	for version, accepted := range map[string]bool{
		fmt.Sprint(valueAt(parameter, "Default")): true, "17.5": true, "18.10": true, "15.4": false, "16": false, "16.x": false, "16.1.2": false,
	} {
		if pattern.MatchString(version) != accepted {
			t.Errorf("%q is accepted: %v", version, !accepted)
		}
	}
}
