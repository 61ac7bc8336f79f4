package sam_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/internal/sam"
)

// startSTS starts a server that responds to GetCallerIdentity, makes it the AWS endpoint, and returns
// the region for which the last request was signed.
func startSTS(t *testing.T) func() string {
	t.Helper()
	var region string
	signedFor := regexp.MustCompile(`Credential=[^/]+/\d+/([^/]+)/sts/`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if match := signedFor.FindStringSubmatch(r.Header.Get("Authorization")); match != nil {
			region = match[1]
		}
		_, _ = fmt.Fprint(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
			<Arn>arn:aws:iam::123456789012:user/deployer</Arn><UserId>U</UserId><Account>123456789012</Account>
			</GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	t.Cleanup(server.Close)
	empty := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": empty, "AWS_SHARED_CREDENTIALS_FILE": empty, "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	return func() string { return region }
}

// writeProject writes a samconfig.toml with the stages dev and prod, and a build.
func writeProject(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for path, content := range map[string]string{
		"samconfig.toml": `version = 0.1
[dev.deploy.parameters]
stack_name = "app-dev"
parameter_overrides = "Stage=dev LogRetentionDays=7"
[prod.global.parameters]
region = "eu-west-1"
[prod.deploy.parameters]
stack_name = "app-prod"
confirm_changeset = true
parameter_overrides = ["Stage=prod", "DatabaseReader=true"]
[quoted.deploy.parameters]
stack_name = "app-quoted"
parameter_overrides = "A='x NoParameter=1' DatabaseReeder=true"
`,
		"other.toml":                         "[default.deploy.parameters]\nstack_name = \"other\"\nregion = \"sa-east-1\"\n",
		".aws-sam/build/template.yaml":       "Globals:\n  RELEASE: none\nParameters: {Stage: {}, LogRetentionDays: {}, DatabaseReader: {}, A: {}, B: {}}\nResources:\n  Layer: {Properties: {ContentUri: ../../layer}}\n",
		"layer/ca.pem":                       "certificates",
		".aws-sam/build/Function/bootstrap":  "code",
		".aws-sam/build/Function/other/file": "data",
	} {
		path = filepath.Join(folder, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestPlanDeployment checks where sam deploy deploys to, by arguments, samconfig.toml and environment, and
// what it is called with.
func TestPlanDeployment(t *testing.T) {
	region := startSTS(t)
	folder := writeProject(t)
	overrides := map[string][]string{
		"app-dev": {"Stage=dev LogRetentionDays=7"}, "app-prod": {"Stage=prod", "DatabaseReader=true"}, "mine": {"A=1", "B=2"}, "other": nil,
	}
	for _, c := range []struct {
		name        string
		environment map[string]string
		args        string
		want        sam.Deployment
	}{
		{
			name: "AWS_REGION", environment: map[string]string{"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "us-east-1"}, args: "--config-env dev",
			want: sam.Deployment{Stage: "dev", Stack: "app-dev", Region: "eu-north-1", Args: strings.Fields("deploy --config-env dev --region eu-north-1")},
		},
		{
			name: "AWS_DEFAULT_REGION", environment: map[string]string{"AWS_DEFAULT_REGION": "us-east-2"}, args: "--config-env=dev",
			want: sam.Deployment{Stage: "dev", Stack: "app-dev", Region: "us-east-2", Args: strings.Fields("deploy --config-env=dev --region us-east-2")},
		},
		{
			name: "samconfig.toml", environment: map[string]string{"AWS_REGION": "eu-north-1"}, args: "--config-env prod",
			want: sam.Deployment{Stage: "prod", Stack: "app-prod", Region: "eu-west-1", Asks: true, Args: strings.Fields("deploy --config-env prod --region eu-west-1")},
		},
		{
			name: "arguments", environment: map[string]string{"AWS_REGION": "eu-north-1"},
			args: "--region ap-south-1 --config-env prod --parameter-overrides A=1 B=2 --stack-name mine --no-confirm-changeset",
			want: sam.Deployment{
				Stage: "prod", Stack: "mine", Region: "ap-south-1",
				Args: strings.Fields("deploy --config-env prod --parameter-overrides A=1 B=2 --stack-name mine --no-confirm-changeset --region ap-south-1"),
			},
		},
		{
			name: "another file", args: "--config-file other.toml",
			want: sam.Deployment{Stage: "default", Stack: "other", Region: "sa-east-1", Args: strings.Fields("deploy --config-file other.toml --region sa-east-1")},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.environment {
				t.Setenv(name, value)
			}
			got, err := sam.PlanDeployment(t.Context(), folder, strings.Fields(c.args))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Account, c.want.Template = "123456789012", filepath.Join(folder, ".aws-sam", "build", "template.yaml")
			if c.want.Release, err = sam.Release(c.want.Template, overrides[c.want.Stack]); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got, cmpopts.IgnoreUnexported(sam.Deployment{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if region() != c.want.Region {
				t.Errorf("the account is that of credentials in %s", region())
			}
		})
	}
}

// TestPlanDeploymentRefuses checks that nothing is deployed without a region, credentials, a build or a readable file.
func TestPlanDeploymentRefuses(t *testing.T) {
	startSTS(t)
	for _, c := range []struct {
		name, args, want string
		environment      map[string]string
		damage           func(t *testing.T, folder string)
	}{
		{name: "no region", args: "--config-env dev", want: "no region to deploy to"},
		{
			name: "no credentials", args: "--config-env prod", want: "the AWS account cannot be determined",
			environment: map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
		},
		{name: "upper case", args: "--config-env prod --stack-name DataStorage", want: "the stack cannot be named"},
		{name: "two hyphens", args: "--config-env prod --stack-name data--storage", want: "the stack cannot be named"},
		{name: "trailing hyphen", args: "--config-env prod --stack-name datastorage-", want: "the stack cannot be named"},
		{name: "long name", args: "--config-env prod --stack-name " + strings.Repeat("a", 42), want: "the stack cannot be named"},
		{name: "no such stage", args: "--config-env test", want: `no stack for the stage "test"`},
		{name: "misspelt", args: "--config-env prod --parameter-overrides Stage=prod DatabaseReeder=true", want: "no parameter DatabaseReeder"},
		{name: "from a file", args: "--config-env prod --parameter-overrides Stage=prod file://more.yaml", want: "parameters from a file are not supported"},
		{name: "misspelt after a value with a space", args: "--config-env quoted", want: "no parameter DatabaseReeder"},
		{name: "misspelt in the long form", args: "--config-env prod --parameter-overrides ParameterKey=DatabaseReeder,ParameterValue=true", want: "no parameter DatabaseReeder"},
		{name: "no such profile", args: "--config-env prod --profile missing", want: "the AWS settings cannot be read"},
		{
			name: "not built", args: "--config-env prod", want: "nothing is built",
			damage: func(t *testing.T, folder string) {
				t.Helper()
				if err := os.RemoveAll(filepath.Join(folder, ".aws-sam")); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "not TOML", args: "--config-env prod", want: "samconfig.toml cannot be read",
			damage: func(t *testing.T, folder string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(folder, "samconfig.toml"), []byte("[prod"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.environment {
				t.Setenv(name, value)
			}
			folder := writeProject(t)
			if c.damage != nil {
				c.damage(t, folder)
			}
			_, err := sam.PlanDeployment(t.Context(), folder, strings.Fields(c.args))
			if problem := new(program.Problem); !errors.As(err, &problem) || !strings.Contains(problem.What, c.want) || problem.Next == "" {
				t.Errorf("error %v, want a problem with %q", err, c.want)
			}
		})
	}
}

// TestProtect checks that a stack of stage prod, and no other, is protected from deletion, and what is printed if that fails.
func TestProtect(t *testing.T) {
	var requests []string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.FormValue("Action")+" "+r.FormValue("StackName")+" "+r.FormValue("EnableTerminationProtection"))
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, `<UpdateTerminationProtectionResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
			<UpdateTerminationProtectionResult><StackId>id</StackId></UpdateTerminationProtectionResult></UpdateTerminationProtectionResponse>`)
	}))
	defer server.Close()
	startSTS(t)
	t.Setenv("AWS_REGION", "eu-north-1")
	t.Setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", server.URL)
	folder := writeProject(t)
	for _, stage := range []string{"dev", "prod"} {
		deployment, err := sam.PlanDeployment(t.Context(), folder, []string{"--config-env", stage})
		if err != nil {
			t.Fatal(err)
		}
		if protected, err := deployment.Protect(t.Context()); err != nil || protected != (stage == "prod") {
			t.Errorf("stage %s: protected %v (%v)", stage, protected, err)
		}
		if stage == "dev" {
			continue
		}
		status = http.StatusForbidden
		_, err = deployment.Protect(t.Context())
		if problem := new(program.Problem); !errors.As(err, &problem) || !strings.HasSuffix(problem.Next, "--stack-name app-prod") {
			t.Errorf("a refused protection: %v", err)
		}
	}
	if want := []string{"UpdateTerminationProtection app-prod true", "UpdateTerminationProtection app-prod true"}; !slices.Equal(requests, want) {
		t.Errorf("requests %q, want %q", requests, want)
	}
}

// TestTemplateOption checks that the template of the arguments is the one that is stamped, relative to the folder or absolute.
func TestTemplateOption(t *testing.T) {
	startSTS(t)
	t.Setenv("AWS_REGION", "eu-north-1")
	folder := writeProject(t)
	want := filepath.Join(folder, ".aws-sam", "build", "template.yaml")
	for _, option := range []string{"-t .aws-sam/build/template.yaml", "--template .aws-sam/build/template.yaml", "--template-file " + want, "--template-file=" + want} {
		deployment, err := sam.PlanDeployment(t.Context(), folder, strings.Fields("--config-env prod "+option))
		if err != nil || deployment.Template != want {
			t.Errorf("%s: %v (%v), want %s", option, deployment, err, want)
		}
	}
}

// TestRelease checks that the release depends on each file, layers included, its path and each parameter, and on nothing else.
func TestRelease(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	check := func(what string, isNew bool, folder string, overrides ...string) {
		t.Helper()
		release, err := sam.Release(filepath.Join(folder, ".aws-sam", "build", "template.yaml"), overrides)
		if err != nil {
			t.Fatal(err)
		}
		if seen[release] == "" != isNew {
			t.Errorf("%s has the release %s, also of: %q", what, release, seen[release])
		}
		seen[release] = what
	}
	check("a build", true, writeProject(t), "A=1")
	check("the same elsewhere", false, writeProject(t), "A=1")
	check("another value", true, writeProject(t), "A=2")
	check("another parameter", true, writeProject(t), "A=1", "B=")
	check("no parameter", true, writeProject(t))
	for name, change := range map[string]func(folder string) error{
		"other code": func(folder string) error {
			return os.WriteFile(filepath.Join(folder, ".aws-sam/build/Function/bootstrap"), []byte("fixed"), 0o600)
		},
		"another layer": func(folder string) error {
			return os.WriteFile(filepath.Join(folder, "layer/ca.pem"), []byte("newer certificates"), 0o600)
		},
		"another template": func(folder string) error {
			return os.WriteFile(filepath.Join(folder, ".aws-sam/build/template.yaml"), []byte("Globals:\n  RELEASE: none\nResources: {A: {}}\n"), 0o600)
		},
		"a moved file": func(folder string) error {
			return os.Rename(filepath.Join(folder, ".aws-sam/build/Function/other"), filepath.Join(folder, ".aws-sam/build/Function/moved"))
		},
	} {
		folder := writeProject(t)
		if err := change(folder); err != nil {
			t.Fatal(err)
		}
		check(name, true, folder, "A=1")
	}
	folder := writeProject(t)
	template := filepath.Join(folder, ".aws-sam", "build", "template.yaml")
	if err := errors.Join(os.WriteFile(filepath.Join(folder, "samconfig.toml"), nil, 0o600), sam.Stamp(template, "0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	check("a deployed build beside a file that is not deployed", false, folder, "A=1")
	if content, err := os.ReadFile(template); err != nil || !strings.HasPrefix(string(content), "Globals:\n  RELEASE: \"0123456789abcdef\"\nParameters:") {
		t.Errorf("stamped: %q (%v)", content, err)
	}
	if err := errors.Join(os.WriteFile(template, []byte("Resources: {}"), 0o600), sam.Stamp(template, "r")); err == nil {
		t.Error("a template without RELEASE is stamped")
	}
}
