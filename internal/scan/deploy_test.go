package scan_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/datastorage-service/datastorage/internal/sam"
)

// The tests of this file run the scripts of deploy/ and check the roles of their jobs.

// runScript runs a script of a copy of deploy/ with programs of its own, given as shell scripts by their names. It
// returns the folder of the copy and what was printed.
func runScript(t *testing.T, programs map[string]string, environment []string, script string, args ...string) (folder, printed string, err error) {
	t.Helper()
	folder = t.TempDir()
	for _, name := range []string{"deploy", "bin"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(folder, "deploy", script)
	writeFile(t, path, readFile(t, "../../deploy/"+script))
	writeFile(t, filepath.Join(folder, "samconfig.toml"), readFile(t, "../../samconfig.toml"))
	writeFile(t, filepath.Join(folder, "template.yaml"), smallTemplate)
	for name, text := range programs {
		writeFile(t, filepath.Join(folder, "bin", name), "#!/bin/sh\n"+text)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), environment...)
	cmd.Env = append(cmd.Env, "PATH="+filepath.Join(folder, "bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return folder, string(out), err
}

const smallTemplate = `Transform: AWS::Serverless-2016-10-31
Resources:
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: deploy/}}
`

// printing returns a program that prints its name and arguments, then a text, and ends as given.
func printing(text, end string) string {
	return "echo \"$(basename \"$0\") $*\" >&2\ncat <<'END'\n" + text + "\nEND\n" + end
}

// deploySettings are the variables that change-set.sh needs.
var deploySettings = []string{"STAGE=prod", "ARTIFACTS_BUCKET=bucket", "CLOUDFORMATION_ROLE=arn:aws:iam::123456789012:role/cloudformation"}

const changeSetARN = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/samcli-deploy1764313200/0f4e1d2c"

// TestChangeSetFails checks that change-set.sh passes a failure on, names a missing setting, and finds no change
// set where SAM CLI makes none.
func TestChangeSetFails(t *testing.T) {
	t.Parallel()
	unchanged := map[string]string{"go": printing("No changes to deploy. Stack datastorage-prod is up to date", "")}
	folder, printed, err := runScript(t, unchanged, deploySettings, "change-set.sh", "review/datastorage-prod")
	if err != nil || readFile(t, filepath.Join(folder, "change-set.txt")) != "" {
		t.Errorf("without a change: %v\n%s", err, printed)
	}
	failing := map[string]string{"go": printing("error", "exit 3\n")}
	if _, printed, err := runScript(t, failing, deploySettings, "change-set.sh", "review"); err == nil {
		t.Errorf("a failure of sam deploy is ignored: %s", printed)
	}
	if _, printed, err := runScript(t, unchanged, nil, "change-set.sh", "review"); err == nil || !strings.Contains(printed, "STAGE") {
		t.Errorf("a missing setting is not named: %v %s", err, printed)
	}
}

// startCloudFormation starts a server that accepts every object and makes one change set. It returns its URL, and
// a function that returns the requests: the action and its parameters, or the method and path of an object.
func startCloudFormation(t *testing.T) (url string, requests func() []string) {
	t.Helper()
	var lock sync.Mutex
	var received []string
	respond := func(w http.ResponseWriter, action, result string) {
		_, _ = fmt.Fprintf(w, `<%[1]sResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, action, result)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		if r.Method != http.MethodPost {
			received = append(received, r.Method+" "+r.URL.Path)
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusNotFound)
			}
			return
		}
		action := r.FormValue("Action")
		received = append(received, strings.TrimSpace(strings.Join([]string{action, r.FormValue("StackName"), r.FormValue("RoleARN")}, " ")))
		switch action {
		case "CreateChangeSet":
			respond(w, action, "<Id>"+changeSetARN+"</Id><StackId>stack</StackId>")
		case "DescribeChangeSet":
			respond(w, action, "<Status>CREATE_COMPLETE</Status><Changes><member><ResourceChange><Action>Add</Action><LogicalResourceId>Layer</LogicalResourceId><ResourceType>AWS::Lambda::LayerVersion</ResourceType></ResourceChange></member></Changes>")
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id %s does not exist</Message></Error></ErrorResponse>", r.FormValue("StackName"))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		lock.Lock()
		defer lock.Unlock()
		return slices.Clone(received)
	}
}

// TestChangeSet runs change-set.sh with SAM CLI against a server in the place of CloudFormation and S3: it makes a
// change set by CloudFormation's role, shows it, does not execute it, and calls nothing that its role may not.
func TestChangeSet(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs SAM CLI")
	}
	tool, err := sam.Install(t.Context(), "", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	url, requests := startCloudFormation(t)
	command := tool.Command(t.Context())
	environment := slices.Concat(command.Env, deploySettings, []string{
		"AWS_ENDPOINT_URL=" + url, "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret", "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_CONFIG_FILE=" + filepath.Join(t.TempDir(), "none"),
	})
	// The arguments of go are those of cmd/sam after "run ./cmd/sam".
	programs := map[string]string{"go": "shift 2\nunset AWS_PROFILE AWS_SESSION_TOKEN\nexec '" + command.Path + "' -m samcli \"$@\"\n"}
	folder, printed, err := runScript(t, programs, environment, "change-set.sh", "review/datastorage-prod")
	if err != nil || !strings.Contains(printed, "+ Add") {
		t.Fatalf("the change set is not shown: %v\n%s", err, printed)
	}
	if got := readFile(t, filepath.Join(folder, "change-set.txt")); got != changeSetARN+"\n" {
		t.Errorf("the change set is %q", got)
	}
	policy := oidcResource(t, "ChangeSets")
	var actions []string
	for _, request := range requests() {
		action, rest, _ := strings.Cut(request, " ")
		switch {
		case action == http.MethodHead || action == http.MethodPut:
			if !strings.HasPrefix(rest, "/bucket/review/datastorage-prod/") {
				t.Errorf("the object is %s", rest)
			}
		case !strings.Contains(policy, "cloudformation:"+action+"\n"):
			t.Errorf("the role may not call %s", action)
		default:
			actions = append(actions, action)
		}
	}
	if !slices.Contains(requests(), "CreateChangeSet datastorage-prod arn:aws:iam::123456789012:role/cloudformation") || len(actions) < 3 {
		t.Errorf("the requests are %q", requests())
	}
}

// TestExecute checks that execute.sh waits for the kind of deployment that the change set is, longer than the AWS CLI does by itself, and
// that it protects the stack of stage prod alone from deletion, which its role may do.
func TestExecute(t *testing.T) {
	t.Parallel()
	for kind, waiter := range map[string]string{"CREATE": "stack-create-complete", "UPDATE": "stack-update-complete"} {
		_, printed, err := runScript(t, map[string]string{"aws": printing(kind, "")}, nil, "execute.sh", "datastorage-prod", "arn:change-set")
		if err != nil || !strings.Contains(printed, "aws cloudformation execute-change-set --change-set-name arn:change-set\n") ||
			!strings.Contains(printed, "aws cloudformation wait "+waiter+" --stack-name datastorage-prod\n") {
			t.Errorf("%s: %v\n%s", kind, err, printed)
		}
	}
	protection := "aws cloudformation update-termination-protection --enable-termination-protection --stack-name datastorage-prod\n"
	for stage, want := range map[string]bool{"prod": true, "dev": false, "": false} {
		programs, environment := map[string]string{"aws": printing("UPDATE", "")}, []string{"STAGE=" + stage}
		_, printed, err := runScript(t, programs, environment, "execute.sh", "datastorage-prod", "arn:change-set")
		if err != nil || strings.Contains(printed, protection) != want {
			t.Errorf("stage %q, protected: want %v: %v\n%s", stage, want, err, printed)
		}
	}
	if role := oidcResource(t, "ExecuteRole"); !strings.Contains(role, "cloudformation:UpdateTerminationProtection\n") {
		t.Error("ExecuteRole may not protect the stack from deletion")
	}
	slow := map[string]string{"aws": printing("UPDATE", "case \"$*\" in *wait*) test -e waited || { touch waited; exit 255; };; esac\n")}
	if _, printed, err := runScript(t, slow, nil, "execute.sh", "datastorage-prod", "arn:change-set"); err != nil {
		t.Errorf("a deployment that takes longer than an hour fails: %v\n%s", err, printed)
	}
	rolledBack := map[string]string{"aws": printing("UPDATE", "case \"$*\" in *wait*) exit 255;; esac\n")}
	_, printed, err := runScript(t, rolledBack, nil, "execute.sh", "datastorage-prod", "arn:change-set")
	if err == nil || !strings.Contains(printed, "describe-stack-events") {
		t.Errorf("a deployment that is rolled back succeeds, or its events are not printed: %v\n%s", err, printed)
	}
}

// oidcResource returns the text of a resource in oidc.yaml.
func oidcResource(t *testing.T, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(readFile(t, "../../deploy/oidc.yaml"), "\n  "+name+":\n")
	if !found {
		t.Fatalf("oidc.yaml has no %s", name)
	}
	return regexp.MustCompile(`(?m)^  \S`).Split(rest, 2)[0]
}

// TestCloudFormationRole checks that CloudFormationRole has permissions beside those for resources with the stack's name. The schemas are those of
// CloudFormation's registry, whose handlers list permissions (stored in https://github.com/pulumi/pulumi-aws-native, aws-cloudformation-schema,
// and https://github.com/localstack/localstack, 2026-11).
func TestCloudFormationRole(t *testing.T) {
	t.Parallel()
	role := oidcResource(t, "CloudFormationRole")
	for source, permissions := range map[string][]string{
		// Creating a database is checked against its groups too, which are RDS's own if it has no others.
		"https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/security_iam_id-based-policy-examples-create-and-modify-examples.html": {
			":og:default*\n", ":pg:default*\n",
		},
		"https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html, CreateVpcEndpoint": {"route53:AssociateVPCWithHostedZone\n"},
		"the schema of AWS::Backup::BackupVault":              {"backup.${AWS::Region}.${AWS::URLSuffix}\n", "kms:RetireGrant"},
		"the schema of AWS::Backup::BackupSelection":          {"iam:CreateServiceLinkedRole\n", "iam:AWSServiceName: [backup.amazonaws.com"},
		"the schema of AWS::EC2::SubnetRouteTableAssociation": {"ec2:ReplaceRouteTableAssociation\n"},
		"the schema of AWS::IAM::ManagedPolicy":               {"iam:ListEntitiesForPolicy\n"},
		"the schema of AWS::IAM::Role": {
			"iam:ListAttachedRolePolicies\n", "iam:ListRolePolicies\n", "iam:PutRolePermissionsBoundary, iam:PutRolePolicy]\n",
		},
		"https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html, for mutual TLS": {
			"apigateway:AddCertificateToDomain\n", "apigateway:RemoveCertificateFromDomain\n",
		},
	} {
		for _, permission := range permissions {
			if !strings.Contains(role, permission) {
				t.Errorf("CloudFormationRole has no %q (%s)", permission, source)
			}
		}
	}
}

// TestNamesAreNotCut checks that the longest stack name that oidc.yaml accepts is whole in the names that CloudFormation makes for template.yaml's
// functions and roles, and with -ci in those of oidc.yaml's roles: of 64 characters, 12 are random and 2 hyphens.
func TestNamesAreNotCut(t *testing.T) {
	t.Parallel()
	limit := regexp.MustCompile(`(?m)^  StackName:\n(?:    .*\n)*?    MaxLength: (\d+)$`).FindStringSubmatch(readFile(t, "../../deploy/oidc.yaml"))
	if limit == nil {
		t.Fatal("oidc.yaml has no limit of StackName")
	}
	stack, _ := strconv.Atoi(limit[1])
	resource := regexp.MustCompile(`(?m)^  (\w+):\n    Type: AWS::(?:Serverless::Function|IAM::Role)$`)
	for path, suffix := range map[string]string{"../../template.yaml": "", "../../deploy/oidc.yaml": "-ci"} {
		found := resource.FindAllStringSubmatch(readFile(t, path), -1)
		if len(found) < 4 {
			t.Errorf("%s has the roles and functions %q", path, found)
		}
		for _, id := range found {
			if length := stack + len(suffix) + len(id[1]) + 14; length > 64 {
				t.Errorf("%s: the name of %s is cut: it would have %d characters", path, id[1], length)
			}
		}
	}
}

// TestPullRequestsCannotExecute checks the trust between jobs and roles in oidc.yaml: only the role of an approved
// job may execute a change set, and the role of a pull request cannot write what the branch deploys.
func TestPullRequestsCannotExecute(t *testing.T) {
	t.Parallel()
	role := func(name string) string { return oidcResource(t, name) }
	for name, has := range map[string][]string{
		"ReviewRole":  {"repo:${Repository}:pull_request", `"${Artifacts.Arn}/review/*"`},
		"PlanRole":    {"repo:${Repository}:ref:refs/heads/${Branch}", `"${Artifacts.Arn}/deploy/*"`},
		"ExecuteRole": {"repo:${Repository}:environment:${Environment}", "cloudformation:ExecuteChangeSet"},
	} {
		for _, text := range append(has, "PermissionsBoundary: !Ref Boundary", "gitlab.com:aud: https://gitlab.com") {
			if !strings.Contains(role(name), text) {
				t.Errorf("%s has no %s", name, text)
			}
		}
	}
	for _, name := range []string{"ReviewRole", "PlanRole", "ChangeSets"} {
		if strings.Contains(role(name), "ExecuteChangeSet") {
			t.Errorf("%s may execute a change set", name)
		}
	}
	if strings.Contains(role("ReviewRole"), "/deploy/") {
		t.Error("a pull request may write what the branch deploys")
	}
}

// TestBoundary checks that CloudFormation can give permissions only to roles with the boundary, and that the boundary has every service
// that the roles of the service's template use.
func TestBoundary(t *testing.T) {
	t.Parallel()
	role := oidcResource(t, "CloudFormationRole")
	granting := 0
	for statement := range strings.SplitSeq(role, "- Effect: Allow") {
		if !regexp.MustCompile(`iam:(AttachRolePolicy|CreateRole|PutRolePermissionsBoundary|PutRolePolicy)\b`).MatchString(statement) {
			continue
		}
		granting++
		if !strings.Contains(statement, "StringEquals: {iam:PermissionsBoundary: !Ref Boundary}") {
			t.Errorf("permissions without the boundary: %s", statement)
		}
	}
	if granting != 2 {
		t.Errorf("%d statements grant permissions", granting)
	}
	boundary := oidcResource(t, "Boundary")
	template := readFile(t, "../../template.yaml")
	roles := template[strings.Index(template, "# --- Permissions: a role for each function"):strings.Index(template, "# For callers with IAM credentials")]
	actions := regexp.MustCompile(`\b([a-z0-9-]+):[A-Z][A-Za-z]+\b`).FindAllStringSubmatch(roles, -1)
	if len(actions) < 15 {
		t.Fatalf("found only %d actions", len(actions))
	}
	for _, action := range actions {
		if !strings.Contains(boundary, "- "+action[1]+":*\n") && action[1] != "sts" && action[1] != "aws" {
			t.Errorf("the boundary does not have %s, which the template's roles use for %s", action[1], action[0])
		}
	}
}
