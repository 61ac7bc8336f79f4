package datastorage_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// The tests of this file check what template.yaml becomes with the values of its parameters.

// TestRules checks which combinations of parameters the template refuses before anything is made.
func TestRules(t *testing.T) {
	t.Parallel()
	given := "DatabaseIdentifier=c DatabaseHost=h DatabaseResourceId=r DatabaseSecretArn=s DatabaseSecurityGroupId=g VpcId=v SubnetIds=a,b"
	openai := "EmbeddingProvider=openai EmbeddingUrl=u EmbeddingModel=m EmbeddingDimensions=3 VpcId=v SubnetIds=a,b"
	next := "EmbeddingNextProvider=openai EmbeddingNextUrl=u EmbeddingNextModel=m EmbeddingNextDimensions=3 VpcId=v SubnetIds=a,b"
	without := func(parameters string, names ...string) string {
		return strings.Join(slices.DeleteFunc(strings.Fields(parameters), func(word string) bool {
			name, _, _ := strings.Cut(word, "=")
			return slices.Contains(names, name)
		}), " ")
	}
	cases := map[string]string{
		"": "", given: "", openai: "", next: "", "JwtIssuer=i JwtAudience=a": "", "VpcId=v SubnetIds=a,b": "", "DatabaseReader=true": "",
		"EmbeddingProvider=bedrock": "", "EmbeddingProvider=bedrock EmbeddingProfile=p": "", "EmbeddingNextProvider=bedrock EmbeddingNextProfile=p": "",
		openai + " EmbeddingApiKeySecretArn=s": "", next + " EmbeddingNextApiKeySecretArn=s": "",
		"DatabaseKind=instance": "", "DatabaseKind=provisioned DatabaseReader=true": "", given + " DatabaseKind=instance": "",
		"RestoreSnapshot=s": "", "RestoreSource=d": "", "RestoreSource=d RestoreTime=2026-11-28T10:00:00Z": "",
		"DomainName=d CertificateArn=c": "", "DomainName=d CertificateArn=c HostedZoneId=z MutualTlsTruststore=s3://b/k": "",

		"EmbeddingProfile=p":                         "EmbeddingProfile needs EmbeddingProvider bedrock",
		"EmbeddingNextProfile=p":                     "EmbeddingNextProfile needs EmbeddingNextProvider bedrock",
		"EmbeddingNextModel=m":                       "EmbeddingNextModel, EmbeddingNextDimensions",
		"EmbeddingNextDimensions=3":                  "EmbeddingNextModel, EmbeddingNextDimensions",
		"EmbeddingNextUrl=u":                         "EmbeddingNextModel, EmbeddingNextDimensions",
		"EmbeddingNextApiKeySecretArn=s":             "EmbeddingNextModel, EmbeddingNextDimensions",
		"DatabaseHost=h":                             "DatabaseHost, DatabaseResourceId",
		"EmbeddingProvider=bedrock EmbeddingModel=m": "EmbeddingModel must be one of Bedrock's models",
		"VpcId=v":                                   "VpcId needs SubnetIds",
		"JwtIssuer=i":                               "JwtIssuer needs JwtAudience",
		given + " DatabaseReader=true":              "DatabaseReader is for a new cluster",
		given + " RestoreSnapshot=s":                "RestoreSnapshot and RestoreSource are for a new database",
		given + " RestoreSource=d":                  "RestoreSnapshot and RestoreSource are for a new database",
		given + " BackupCopyVaultArn=v":             "BackupCopyVaultArn is for a new database",
		"RestoreSnapshot=s RestoreSource=d":         "RestoreSnapshot cannot be combined with RestoreSource",
		"RestoreTime=2026-11-28T10:00:00Z":          "RestoreTime needs RestoreSource",
		"DatabaseKind=instance DatabaseReader=true": "DatabaseReader is for a cluster",
		"DomainName=d":                              "DomainName needs CertificateArn",
		"HostedZoneId=z":                            "HostedZoneId and MutualTlsTruststore need DomainName",
		"MutualTlsTruststore=s3://b/k":              "HostedZoneId and MutualTlsTruststore need DomainName",
		without(given, "VpcId", "SubnetIds"):        "DatabaseIdentifier needs VpcId",
		without(openai, "VpcId", "SubnetIds"):       "EmbeddingProvider openai needs",
		without(next, "VpcId", "SubnetIds"):         "EmbeddingNextProvider openai needs",
	}
	for _, name := range []string{"DatabaseHost", "DatabaseResourceId", "DatabaseSecretArn", "DatabaseSecurityGroupId"} {
		cases[without(given, name)] = "DatabaseIdentifier needs DatabaseHost"
	}
	for _, name := range []string{"Url", "Model", "Dimensions"} {
		cases[without(openai, "Embedding"+name)] = "EmbeddingProvider openai needs"
		cases[without(next, "EmbeddingNext"+name)] = "EmbeddingNextProvider openai needs"
	}
	for parameters, want := range cases {
		refusals := deploy(t, parameters).refusals()
		if len(refusals) != min(len(want), 1) || want != "" && !strings.HasPrefix(refusals[0], want) {
			t.Errorf("%q: refused for %q, want %q", parameters, refusals, want)
		}
	}
}

// TestCombinations checks for each combination of choices that no resource or output refers to one that the combination leaves out.
func TestCombinations(t *testing.T) {
	t.Parallel()
	const vpc = "VpcId=v SubnetIds=a,b"
	combinations := []string{""}
	for _, choices := range [][]string{
		{"", vpc, vpc + " DatabaseIdentifier=c DatabaseHost=h DatabaseResourceId=r DatabaseSecretArn=s DatabaseSecurityGroupId=g"},
		{"DatabaseKind=serverless", "DatabaseKind=provisioned", "DatabaseKind=instance"},
		{"DatabaseReader=false", "DatabaseReader=true"},
		{"DatabaseProxy=true", "DatabaseProxy=false"},
		{"", "RestoreSnapshot=s", "RestoreSource=d", "RestoreSource=d RestoreTime=2026-11-28T10:00:00Z"},
		{"", "EmbeddingProvider=bedrock"},
		{"", "BackupCopyVaultArn=v JwtIssuer=i JwtAudience=a DomainName=d CertificateArn=c HostedZoneId=z QueueSenders=1,2 AlarmEmail=e PermissionsBoundary=b"},
	} {
		var longer []string
		for _, combination := range combinations {
			for _, choice := range choices {
				longer = append(longer, combination+" "+choice)
			}
		}
		combinations = longer
	}
	accepted, template := 0, readTemplate(t)
	for _, combination := range combinations {
		d := deployTemplate(t, template, combination)
		if len(d.refusals()) > 0 {
			continue
		}
		accepted++
		resources := d.made("Resources")
		for _, section := range []tree{resources, d.made("Outputs")} {
			for id, element := range section {
				referenced := referencedNames(element)
				for _, first := range asList(valueAt(element, "DependsOn")) {
					referenced = append(referenced, fmt.Sprint(first))
				}
				for _, name := range referenced {
					_, parameter := d.Values[name]
					if !strings.HasPrefix(name, "AWS::") && name != "ApiApiGatewayDefaultStage" && !parameter && resources[name] == nil {
						t.Fatalf("%s: %s refers to %s, which is not made", combination, id, name)
					}
				}
			}
		}
	}
	if accepted < 200 {
		t.Errorf("%d combinations are accepted", accepted)
	}
}

// TestRestore checks the properties of a database that is new, restored from a snapshot, or restored to a point in time. CloudFormation
// refuses the name and the owner of a database for a restored one, and the encryption in the combinations without it.
func TestRestore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, parameters, resource string
		want, absent               []string
	}{
		{
			"serverless", "", "Database",
			[]string{"DatabaseName", "MasterUsername", "StorageEncrypted", "KmsKeyId"},
			[]string{"SnapshotIdentifier", "SourceDBClusterIdentifier", "RestoreToTime", "UseLatestRestorableTime"},
		},
		{
			"serverless", "RestoreSnapshot=s", "Database",
			[]string{"SnapshotIdentifier", "StorageEncrypted", "KmsKeyId"},
			[]string{"DatabaseName", "MasterUsername", "SourceDBClusterIdentifier"},
		},
		{
			"provisioned", "RestoreSource=d", "Database",
			[]string{"SourceDBClusterIdentifier", "UseLatestRestorableTime", "KmsKeyId"},
			[]string{"DatabaseName", "MasterUsername", "StorageEncrypted", "RestoreToTime", "SnapshotIdentifier"},
		},
		{
			"provisioned", "RestoreSource=d RestoreTime=2026-11-28T10:00:00Z", "Database",
			[]string{"SourceDBClusterIdentifier", "RestoreToTime"},
			[]string{"UseLatestRestorableTime", "StorageEncrypted"},
		},
		{
			"instance", "", "DatabaseInstance",
			[]string{"DBName", "MasterUsername", "StorageEncrypted", "KmsKeyId"},
			[]string{"DBSnapshotIdentifier", "SourceDBInstanceIdentifier", "RestoreTime", "UseLatestRestorableTime"},
		},
		{
			"instance", "RestoreSnapshot=s", "DatabaseInstance",
			[]string{"DBSnapshotIdentifier"},
			[]string{"DBName", "MasterUsername", "StorageEncrypted", "KmsKeyId", "SourceDBInstanceIdentifier"},
		},
		{
			"instance", "RestoreSource=d", "DatabaseInstance",
			[]string{"SourceDBInstanceIdentifier", "UseLatestRestorableTime"},
			[]string{"DBName", "MasterUsername", "StorageEncrypted", "KmsKeyId", "RestoreTime"},
		},
		{
			"instance", "RestoreSource=d RestoreTime=2026-11-28T10:00:00Z", "DatabaseInstance",
			[]string{"SourceDBInstanceIdentifier", "RestoreTime"},
			[]string{"UseLatestRestorableTime", "DBName"},
		},
	} {
		resources := deploy(t, "DatabaseKind="+c.kind+" "+c.parameters).made("Resources")
		properties, _ := valueAt(resources[c.resource], "Properties").(tree)
		for _, name := range append(c.want, "ManageMasterUserPassword", "EnableIAMDatabaseAuthentication") {
			if properties[name] == nil {
				t.Errorf("%s %s: %s has no %s", c.kind, c.parameters, c.resource, name)
			}
		}
		for _, name := range c.absent {
			if properties[name] != nil {
				t.Errorf("%s %s: %s has %s", c.kind, c.parameters, c.resource, name)
			}
		}
		// Another generation is another name: CloudFormation makes the restored database beside the present one.
		if name := fmt.Sprint(properties["DBClusterIdentifier"], properties["DBInstanceIdentifier"]); !strings.Contains(name, "${DatabaseGeneration}") {
			t.Errorf("%s: the name is %s", c.kind, name)
		}
	}
}

// TestDatabaseKinds checks the database, the proxy's target and the functions' address of each kind.
func TestDatabaseKinds(t *testing.T) {
	t.Parallel()
	count := func(resources tree) map[string]int {
		found := map[string]int{}
		for _, resource := range resources {
			kind := strings.TrimPrefix(fmt.Sprint(valueAt(resource, "Type")), "AWS::RDS::")
			if strings.HasPrefix(kind, "DB") {
				found[kind]++
			}
		}
		return found
	}
	proxied := map[string]int{"DBSubnetGroup": 1, "DBProxy": 1, "DBProxyTargetGroup": 1}
	with := func(more map[string]int) map[string]int {
		all := maps.Clone(proxied)
		maps.Copy(all, more)
		return all
	}
	cluster := map[string]int{"DBCluster": 1, "DBClusterParameterGroup": 1, "DBInstance": 1}
	instance := map[string]int{"DBInstance": 1, "DBParameterGroup": 1}
	for parameters, want := range map[string]map[string]int{
		"":                         with(cluster),
		"DatabaseKind=provisioned": with(cluster),
		"DatabaseReader=true":      with(map[string]int{"DBCluster": 1, "DBClusterParameterGroup": 1, "DBInstance": 2, "DBProxyEndpoint": 1}),
		"DatabaseKind=instance":    with(instance),
		"DatabaseKind=instance DatabaseProxy=false":                        {"DBSubnetGroup": 1, "DBInstance": 1, "DBParameterGroup": 1},
		"DatabaseReader=true DatabaseProxy=false":                          {"DBSubnetGroup": 1, "DBCluster": 1, "DBClusterParameterGroup": 1, "DBInstance": 2},
		"VpcId=v SubnetIds=a,b DatabaseIdentifier=c":                       {"DBProxy": 1, "DBProxyTargetGroup": 1},
		"VpcId=v SubnetIds=a,b DatabaseIdentifier=c DatabaseKind=instance": {"DBProxy": 1, "DBProxyTargetGroup": 1},
	} {
		resources := deploy(t, parameters).made("Resources")
		if got := count(resources); !maps.Equal(got, want) {
			t.Errorf("%q makes %v, want %v", parameters, got, want)
		}
		isInstance := strings.Contains(parameters, "DatabaseKind=instance")
		if targets, _ := valueAt(resources["ProxyTargets"], "Properties").(tree); targets != nil &&
			(len(asList(targets["DBInstanceIdentifiers"])) == 1) != isInstance || (len(asList(targets["DBClusterIdentifiers"])) == 1) == isInstance && targets != nil {
			t.Errorf("%q: the proxy's targets are %v", parameters, targets)
		}
		direct := strings.Contains(parameters, "DatabaseProxy=false")
		for _, id := range []string{"WriteFunction", "QueryFunction"} {
			ca := valueAt(resources[id], "Properties", "Environment", "Variables", "DATASTORAGE_DATABASE_CA")
			if want := map[bool]any{true: "/opt/rds.pem", false: "system"}[direct]; ca != want {
				t.Errorf("%q: %s trusts %v, want %v", parameters, id, ca, want)
			}
		}
		if (resources["FunctionsIntoDatabase"] != nil) != direct {
			t.Errorf("%q: functions may connect to the database: %v", parameters, !direct)
		}
	}
}

// TestRolesAndPolicies checks that every role has the boundary and the path, and every policy the path, also CodeDeploy's role.
func TestRolesAndPolicies(t *testing.T) {
	t.Parallel()
	resources := deploy(t, "PermissionsBoundary=b BackupCopyVaultArn=v EmbeddingProvider=bedrock").made("Resources")
	checked := 0
	for id, resource := range resources {
		kind, properties := valueAt(resource, "Type"), valueAt(resource, "Properties")
		if kind != "AWS::IAM::Role" && kind != "AWS::IAM::ManagedPolicy" {
			if kind == "AWS::Serverless::Function" && valueAt(properties, "DeploymentPreference") != nil && valueAt(properties, "DeploymentPreference", "Role") == nil {
				t.Errorf("%s is deployed with a role that SAM makes", id)
			}
			continue
		}
		checked++
		if fmt.Sprint(valueAt(properties, "Path")) != "map[Ref:RolePath]" || kind == "AWS::IAM::Role" && valueAt(properties, "PermissionsBoundary") == nil {
			t.Errorf("%s has path %v and boundary %v", id, valueAt(properties, "Path"), valueAt(properties, "PermissionsBoundary"))
		}
	}
	if checked < 13 {
		t.Errorf("%d roles and policies", checked)
	}
}

// TestEndpointPolicies checks what each endpoint of the stack's VPC lets through.
func TestEndpointPolicies(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"S3Endpoint": "s3:PutObject", "SecretsEndpoint": "secretsmanager:GetSecretValue", "SqsEndpoint": "sqs:SendMessage",
		"BedrockRuntimeEndpoint": "bedrock:InvokeModel",
	}
	for id, endpoint := range resourcesOfType(readTemplate(t), "AWS::EC2::VPCEndpoint") {
		statements := asList(valueAt(endpoint, "PolicyDocument", "Statement"))
		if len(statements) != 1 || valueAt(statements[0], "Action") != want[id] {
			t.Errorf("%s: %v, want %s alone", id, statements, want[id])
			continue
		}
		account := valueAt(statements[0], "Condition", "StringEquals", "aws:PrincipalAccount") != nil
		buckets := strings.Contains(fmt.Sprint(valueAt(statements[0], "Resource")), ":s3:::cloudformation-custom-resource-response-*/*")
		if account == buckets {
			t.Errorf("%s is open to other accounts: %v", id, statements[0])
		}
	}
}

// TestMaintainIsWatched checks that the alarms of maintain watch the function of this stack, and that its silence is one.
func TestMaintainIsWatched(t *testing.T) {
	t.Parallel()
	alarms := resourcesOfType(readTemplate(t), "AWS::CloudWatch::Alarm")
	for id, metrics := range map[string][]string{"MaintainErrorsAlarm": {"Errors"}, "MaintainAbsentAlarm": {"Invocations", "Errors"}} {
		alarm := fmt.Sprint(alarms[id])
		if strings.Count(alarm, "Ref:MaintainFunction") != len(metrics) || strings.Contains(alarm, telemetry.Namespace) {
			t.Errorf("%s watches %s", id, alarm)
		}
		for _, metric := range metrics {
			if !strings.Contains(alarm, "MetricName:"+metric) {
				t.Errorf("%s does not watch %s", id, metric)
			}
		}
	}
	absent := alarms["MaintainAbsentAlarm"]
	if absent["TreatMissingData"] != "breaching" || valueAt(asList(absent["Metrics"])[0], "Expression") != "invocations - errors" {
		t.Errorf("MaintainAbsentAlarm: %v", absent)
	}
}

// TestSenders checks that senders of other accounts may use queue and key, and no others, and that by default there are none.
func TestSenders(t *testing.T) {
	t.Parallel()
	for parameters, want := range map[string]int{"": 0, "QueueSenders=111122223333,arn:aws:iam::444455556666:role/x": 1} {
		resources := deploy(t, parameters).made("Resources")
		for id, document := range map[string]string{"QueuesOverTLS": "PolicyDocument", "Key": "KeyPolicy"} {
			found := 0
			for _, statement := range asList(valueAt(resources[id], "Properties", document, "Statement")) {
				if fmt.Sprint(valueAt(statement, "Principal", "AWS")) == "map[Ref:QueueSenders]" {
					found++
				}
			}
			if found != want {
				t.Errorf("%q: %s has %d statements for senders, want %d", parameters, id, found, want)
			}
		}
	}
}
