package main

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/cost.md")

const root = "../.."

// TestPage checks that docs/cost.md is what the program prints.
func TestPage(t *testing.T) {
	t.Parallel()
	var printed bytes.Buffer
	if err := printPage(&printed, root); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(root+"/docs/cost.md", printed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(root + "/docs/cost.md")
	if err != nil || !bytes.Equal(kept, printed.Bytes()) {
		t.Errorf("docs/cost.md is not what the program prints: go test ./cmd/cost -update (%v)", err)
	}
}

// changedTemplate returns the template after a replacement.
func changedTemplate(t *testing.T, old, replacement string) []byte {
	t.Helper()
	content, err := os.ReadFile(root + "/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, []byte(old)) {
		t.Fatalf("template.yaml does not contain %q", old)
	}
	return bytes.Replace(content, []byte(old), []byte(replacement), 1)
}

// idleAmounts returns the amounts of the idle lines of a template by their prices, or an error.
func idleAmounts(t *testing.T, content []byte, parameters string) (map[string]float64, error) {
	t.Helper()
	read, err := readTables()
	if err != nil {
		t.Fatal(err)
	}
	stage := map[string]map[string]string{"dev": splitParameters("Stage=dev " + parameters)}
	lines, err := calculator{content, stage, read}.lines("dev", nil, idleLines)
	amounts := map[string]float64{}
	for _, l := range lines {
		amounts[l.price] += l.amount()
	}
	return amounts, err
}

const resourcesStart = "\nResources:\n"

// TestTemplateDecides checks that resources are counted in the template, under the parameters and conditions of
// the stack.
func TestTemplateDecides(t *testing.T) {
	t.Parallel()
	unchanged := changedTemplate(t, "", "")
	before, err := idleAmounts(t, unchanged, "")
	if err != nil {
		t.Fatal(err)
	}
	added := func(text string) []byte { return changedTemplate(t, resourcesStart, resourcesStart+text+"\n") }
	cases := []struct {
		name, parameters, price string
		template                []byte
		more                    float64
	}{
		{"an alarm", "", "alarm-metric-month", added("  More: {Type: AWS::CloudWatch::Alarm, Properties: {MetricName: m}}"), 1},
		{
			"an alarm on an expression of two metrics", "", "alarm-metric-month",
			added("  More: {Type: AWS::CloudWatch::Alarm, Properties: {Metrics: [{Expression: a + b}, {MetricStat: {Stat: Sum}}, {MetricStat: {Stat: Sum}}]}}"), 2,
		},
		{"an alarm whose condition fails", "", "alarm-metric-month", added("  More: {Type: AWS::CloudWatch::Alarm, Condition: Prod, Properties: {}}"), 0},
		{"a key", "", "key-month", added("  More: {Type: AWS::KMS::Key}"), 1},
		{
			"an interface endpoint in two zones", "", "endpoint-hour",
			added("  More: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcEndpointType: Interface, SubnetIds: [a, b]}}"), 2 * 730,
		},
		{
			"a key for a list that is not empty", "VpcId=v SubnetIds=a,b", "key-month",
			changeCondition(t, `!Not [!Equals [!Join ["", !Ref SubnetIds], ""]]`), 1,
		},
		{"a key for a list that is empty", "", "key-month", changeCondition(t, `!Not [!Equals [!Join ["", !Ref SubnetIds], ""]]`), 0},
		{"a gateway endpoint", "", "endpoint-hour", added("  More: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcEndpointType: Gateway}}"), 0},
		{"the endpoint of Bedrock", "EmbeddingProvider=bedrock", "endpoint-hour", unchanged, 2 * 730},
		{"another network", "VpcId=v SubnetIds=a,b", "endpoint-hour", unchanged, -4 * 730},
		{"a reader", "DatabaseReader=true", "acu-hour", unchanged, 0.5 * 730},
		{"more capacity", "DatabaseMinCapacity=3", "acu-hour", unchanged, 2.5 * 730},
		{"less capacity than a proxy is charged for", "DatabaseMinCapacity=3", "proxy-acu-hour", unchanged, 0},
		{"more than a proxy is charged for at least", "DatabaseMinCapacity=6 DatabaseReader=true", "proxy-acu-hour", unchanged, 4 * 730},
		{"no proxy", "DatabaseProxy=false", "proxy-acu-hour", unchanged, -8 * 730},
		{"an instance", "DatabaseKind=instance DatabaseProxy=false", "instance-hour", unchanged, 730},
		{"its storage", "DatabaseKind=instance DatabaseProxy=false DatabaseStorage=70", "instance-gb-month", unchanged, 70},
		{"its standby", "Stage=prod DatabaseKind=instance DatabaseProxy=false", "instance-gb-month", unchanged, 100},
		{"its password", "DatabaseKind=instance DatabaseProxy=false", "secret-month", unchanged, 0},
		{"a given database", "DatabaseIdentifier=c", "acu-hour", unchanged, -0.5 * 730},
		{"its password", "DatabaseIdentifier=c", "secret-month", unchanged, -1},
	}
	for _, c := range cases {
		after, err := idleAmounts(t, c.template, c.parameters)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if more := after[c.price] - before[c.price]; more != c.more {
			t.Errorf("%s: %s changes by %v, want %v", c.name, c.price, more, c.more)
		}
	}
}

// changeCondition returns the template with a further key under a condition.
func changeCondition(t *testing.T, condition string) []byte {
	t.Helper()
	content := changedTemplate(t, resourcesStart, resourcesStart+"  More: {Type: AWS::KMS::Key, Condition: Further}\n")
	return bytes.Replace(content, []byte("\nConditions:\n"), []byte("\nConditions:\n  Further: "+condition+"\n"), 1)
}

// TestTemplateRefused checks what the program does not compute a cost for.
func TestTemplateRefused(t *testing.T) {
	t.Parallel()
	unchanged := changedTemplate(t, "", "")
	cases := map[string]struct {
		parameters string
		template   []byte
	}{
		"cmd/cost does not know what AWS::EC2::NatGateway costs":  {"", changedTemplate(t, resourcesStart, resourcesStart+"  More: {Type: AWS::EC2::NatGateway}\n")},
		"no price for an instance of class \"db.t4g.medium\"":     {"DatabaseKind=provisioned", unchanged},
		"no price for an instance of class \"db.r6g.large\"":      {"DatabaseKind=instance DatabaseInstanceClass=db.r6g.large", unchanged},
		"no price for a proxy of an instance":                     {"DatabaseKind=instance", unchanged},
		"no condition Nowhere":                                    {"", changedTemplate(t, "Condition: OwnVpc", "Condition: Nowhere")},
		"no parameter Unknown":                                    {"Unknown=1", unchanged},
		"how an empty string is split":                            {"", changeCondition(t, `!Equals [!Select [0, !Ref SubnetIds], a]`)},
		"the condition map[Fn::Between:[b a c]] is not supported": {"", changeCondition(t, `!Between [b, a, c]`)},
		"is not a number of minutes":                              {"", changedTemplate(t, "Schedule: rate(5 minutes)", "Schedule: rate(1 hour)")},
		"MinCapacity is not a number":                             {"DatabaseMinCapacity=much", unchanged},
		"read the template: yaml:":                                {"", []byte("\t")},
	}
	for want, c := range cases {
		if _, err := idleAmounts(t, c.template, c.parameters); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

// TestPrices checks that each price has a source and a date, and that the lines use each of them that has a
// quantity.
func TestPrices(t *testing.T) {
	t.Parallel()
	read, err := readTables()
	if err != nil {
		t.Fatal(err)
	}
	date, used := regexp.MustCompile(`^(20\d\d(-\d\d){0,2}|undated)$`), map[string]bool{}
	for _, price := range read.prices {
		used[price.ID] = false
		for region, found := range price.Regions {
			if found.USD <= 0 || !date.MatchString(found.Date) || !strings.HasPrefix(found.Source, "https://") {
				t.Errorf("%s in %s: %+v", price.ID, region, found)
			}
		}
		if _, known := price.Regions[pricedRegion]; !known {
			t.Errorf("%s has no price in %s", price.ID, pricedRegion)
		}
	}
	stages, err := readStages(root + "/samconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	c := calculator{changedTemplate(t, "", ""), stages, read}
	own := map[string]string{"DatabaseKind": "instance", "DatabaseProxy": "false", "DatabaseReader": "false"}
	for _, source := range []lineSource{idleLines, writeLines, queueLines} {
		for _, stage := range slices.Sorted(maps.Keys(stages)) {
			lines, err := c.lines(stage, nil, source)
			if err == nil && stage == "prod" {
				var more []line
				more, err = c.lines(stage, own, source)
				lines = append(lines, more...)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				used[l.price] = true
			}
		}
	}
	// Of these the page has the price alone: no amount was measured.
	unmeasured := []string{"backup-gb-month", "database-io-million"}
	for id, isUsed := range used {
		if isUsed == slices.Contains(unmeasured, id) {
			t.Errorf("price %s is used: %v", id, isUsed)
		}
	}
}

// TestConnections checks the connection table against the proxy of the template.
func TestConnections(t *testing.T) {
	t.Parallel()
	if !bytes.Contains(changedTemplate(t, "", ""), []byte("MaxConnectionsPercent: 90\n")) {
		t.Errorf("the proxy does not use %d %% of the connections", proxyPercent)
	}
	want := connectionRow{Capacity: 16, Connections: 3360, Capped: 2000, Sandboxes: 1680, CappedSandboxes: 1000, Borrowed: 3024, CappedBorrowed: 1800}
	if rows := connectionRows(); !slices.Contains(rows, want) {
		t.Errorf("the rows are %v, want one to be %v", rows, want)
	}
}
