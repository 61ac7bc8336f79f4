package sam

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"go.yaml.in/yaml/v3"

	"github.com/datastorage-service/datastorage/internal/program"
)

// builtTemplate is the template that sam build writes, beside the functions, and sam deploy reads.
const builtTemplate = ".aws-sam/build/template.yaml"

// Deployment is what sam deploy is about to do.
type Deployment struct {
	// Stage is the environment of samconfig.toml.
	Stage string
	// Stack, Account and Region are where it deploys to.
	Stack, Account, Region string
	// Release identifies the content: template, functions and parameters.
	Release string
	// Asks is set if SAM CLI itself shows the changes and asks.
	Asks bool
	// Template is the built template, to which Stamp adds the release.
	Template string
	// Args are the arguments of sam.
	Args []string

	aws aws.Config
}

// PlanDeployment returns the deployment that sam deploy with these arguments would do in a folder
// with samconfig.toml and a finished build. The account is that of the caller's credentials. A
// setting is taken from the arguments, otherwise from samconfig.toml; the region and the profile
// otherwise from the environment, as the AWS CLI does.
//
// An error that the user can fix is a *program.Problem.
func PlanDeployment(ctx context.Context, folder string, args []string) (*Deployment, error) {
	settings, err := readDeploySettings(folder, args)
	if err != nil {
		return nil, err
	}
	if err := settings.check(folder); err != nil {
		return nil, err
	}
	sdk, err := awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithRegion(settings.first("region")), awsconfig.WithSharedConfigProfile(settings.first("profile")))
	if err != nil {
		return nil, &program.Problem{What: "the AWS settings cannot be read", Why: err.Error(), Next: "aws configure list", Err: err}
	}
	if sdk.Region == "" {
		return nil, &program.Problem{What: "no region to deploy to", Why: "neither an argument, samconfig.toml, the environment nor the profile names one", Next: "export AWS_REGION=…   # or --region, or region in samconfig.toml"}
	}
	identity, err := sts.NewFromConfig(sdk).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, &program.Problem{What: "the AWS account cannot be determined", Why: err.Error(), Next: "aws sts get-caller-identity", Err: err}
	}
	d := &Deployment{
		Stage: settings.stage(), Stack: settings.first("stack_name"), Account: aws.ToString(identity.Account), Region: sdk.Region,
		Asks:     settings.first("confirm_changeset") == "true",
		Args:     slices.Concat([]string{"deploy"}, settings.rest, []string{"--region", sdk.Region}),
		Template: settings.templatePath(folder),
		aws:      sdk,
	}
	d.Release, err = Release(d.Template, settings.values["parameter_overrides"])
	return d, err
}

// maxStackName leaves room for what the template appends: -1a2b3c4d in the name of the backup vault, which AWS Backup limits to 50
// characters (CreateBackupVault, BackupVaultName); -1a2b3c4d-1234 or -1a2b3c4d-read in those of database and proxy, which RDS limits to 63.
const maxStackName = 41

// validStackName is the form of identifiers of RDS (CreateDBCluster, DBClusterIdentifier), in lower case, as RDS stores them and names
// their log groups.
var validStackName = regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`)

// check returns an error for a stage that samconfig.toml does not have, a name that no stack can have, and a parameter that
// the template does not have, which SAM CLI would not deploy.
func (s deploySettings) check(folder string) error {
	name := s.first("stack_name")
	if name == "" {
		return &program.Problem{
			What: fmt.Sprintf("samconfig.toml has no stack for the stage %q", s.stage()), Why: "neither stack_name nor --stack-name is set",
			Next: "go run ./cmd/sam deploy --config-env dev",
		}
	}
	if err := checkStackName(name); err != nil {
		return err
	}
	return s.checkParameters(s.templatePath(folder))
}

func (s deploySettings) templatePath(folder string) string {
	path := filepath.FromSlash(cmp.Or(s.first("template_file"), s.first("template"), s.first("t"), builtTemplate))
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

func (s deploySettings) checkParameters(template string) error {
	content, err := os.ReadFile(template)
	if err != nil {
		return nil // Release says that nothing is built
	}
	var document struct {
		Parameters map[string]yaml.Node `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(content, &document); err != nil {
		return fmt.Errorf("read the built template: %w", err)
	}
	names, err := s.parameterNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, known := document.Parameters[name]; !known {
			return &program.Problem{
				What: "the template has no parameter " + name, Why: "SAM CLI would deploy without it",
				Next: "correct parameter_overrides; docs/deployment.md has the names",
			}
		}
	}
	return nil
}

// parameterNames returns the names in parameter_overrides: words of the form NAME=VALUE, several of which may be in one argument.
// SAM CLI also takes files; what they contain would have to be in the release.
func (s deploySettings) parameterNames() ([]string, error) {
	var names []string
	for _, argument := range s.values["parameter_overrides"] {
		for _, word := range splitWords(argument) {
			if strings.HasPrefix(word, "file://") {
				return nil, &program.Problem{
					What: "parameters from a file are not supported", Why: word + " is not part of the release",
					Next: "write them into parameter_overrides of samconfig.toml",
				}
			}
			name, _, _ := strings.Cut(word, "=")
			if name == "ParameterKey" {
				name, _, _ = strings.Cut(strings.TrimPrefix(word, "ParameterKey="), ",")
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// splitWords splits at spaces outside of quotes, as SAM CLI does (its regular expression for parameter overrides).
func splitWords(text string) []string {
	quote := rune(0)
	return strings.FieldsFunc(text, func(r rune) bool {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		}
		return quote == 0 && unicode.IsSpace(r)
	})
}

func checkStackName(name string) error {
	if len(name) <= maxStackName && validStackName.MatchString(name) {
		return nil
	}
	return &program.Problem{
		What: fmt.Sprintf("the stack cannot be named %q", name),
		Why:  fmt.Sprintf("database, proxy and backup vault are named after it: at most %d lower-case letters, digits and single hyphens, beginning with a letter", maxStackName),
		Next: "correct stack_name in samconfig.toml, or --stack-name",
	}
}

// Protect switches the stack's termination protection on if its stage is prod, and returns whether it did. CloudFormation then
// refuses to delete the stack.
func (d *Deployment) Protect(ctx context.Context) (bool, error) {
	if d.Stage != "prod" {
		return false, nil
	}
	_, err := cloudformation.NewFromConfig(d.aws).UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{
		StackName: &d.Stack, EnableTerminationProtection: aws.Bool(true),
	})
	if err != nil {
		next := "aws cloudformation update-termination-protection --enable-termination-protection --stack-name " + d.Stack
		return false, &program.Problem{What: "the stack is deployed, but not protected from deletion", Why: err.Error(), Next: next, Err: err}
	}
	return true, nil
}

// releaseVariable is the environment variable of the functions in a template that has the release. SAM publishes
// a new version of a function if its environment changes, but does not look at the values of parameters.
var releaseVariable = regexp.MustCompile(`(?m)^( +RELEASE:).*$`)

// Release returns a hash of all files beside a built template, with their paths, of the folders of its layers, of the template except
// for a release that it has, and of the parameters with which it is deployed.
func Release(template string, overrides []string) (string, error) {
	hash := sha256.New()
	layers, err := layerFolders(template)
	for _, folder := range append(layers, filepath.Dir(template)) {
		if err == nil {
			err = hashFolder(hash, folder, template)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", &program.Problem{What: "nothing is built", Why: err.Error(), Next: "make package", Err: err}
	}
	if err != nil {
		return "", fmt.Errorf("read what is deployed: %w", err)
	}
	for _, override := range overrides {
		_, _ = fmt.Fprintf(hash, "%q\n", override)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// hashFolder writes the path and a hash of each file of a folder; of the template, of what it is without a release.
func hashFolder(hash io.Writer, folder, template string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if path == template {
			content = releaseVariable.ReplaceAll(content, []byte("$1"))
		}
		_, err = fmt.Fprintf(hash, "%q %x\n", filepath.ToSlash(relative), sha256.Sum256(content))
		return err
	})
}

// layerFolders returns the local folders of the template's layers, in the order of their paths. sam build leaves a layer without a build
// method where it is.
func layerFolders(template string) ([]string, error) {
	content, err := os.ReadFile(template)
	if err != nil {
		return nil, err
	}
	var document struct {
		Resources map[string]struct {
			Properties struct {
				ContentURI yaml.Node `yaml:"ContentUri"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	var folders []string
	for _, resource := range document.Resources {
		if uri := resource.Properties.ContentURI.Value; uri != "" && !strings.Contains(uri, "://") {
			folders = append(folders, filepath.Join(filepath.Dir(template), filepath.FromSlash(uri)))
		}
	}
	slices.Sort(folders)
	return folders, nil
}

// Stamp writes a release into a built template.
func Stamp(template, release string) error {
	content, err := os.ReadFile(template)
	if err != nil {
		return fmt.Errorf("stamp the release: %w", err)
	}
	if !releaseVariable.Match(content) {
		return fmt.Errorf("stamp the release: %s sets no environment variable RELEASE", template)
	}
	return os.WriteFile(template, releaseVariable.ReplaceAll(content, []byte(`$1 "`+release+`"`)), 0o600)
}

// deploySettings are the options of sam deploy.
type deploySettings struct {
	// values are the options by their names in samconfig.toml, such as parameter_overrides.
	values map[string][]string
	// rest are the arguments without the region.
	rest []string
}

func (s deploySettings) first(name string) string {
	if values := s.values[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func (s deploySettings) stage() string { return cmp.Or(s.first("config_env"), "default") }

// readDeploySettings reads the arguments of sam deploy and, for what they do not set, samconfig.toml.
func readDeploySettings(folder string, args []string) (deploySettings, error) {
	s := deploySettings{values: map[string][]string{}}
	for len(args) > 0 {
		end := 1
		for end < len(args) && !strings.HasPrefix(args[end], "-") {
			end++
		}
		s.readOption(args[:end])
		args = args[end:]
	}
	path := filepath.Join(folder, cmp.Or(s.first("config_file"), "samconfig.toml"))
	var file map[string]toml.Primitive
	meta, err := toml.DecodeFile(path, &file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	var commands map[string]struct{ Parameters map[string]any }
	if environment, has := file[s.stage()]; err == nil && has {
		err = meta.PrimitiveDecode(environment, &commands)
	}
	if err != nil {
		return s, &program.Problem{What: path + " cannot be read", Why: err.Error(), Next: "correct it", Err: err}
	}
	for _, command := range []string{"deploy", "global"} {
		for name, value := range commands[command].Parameters {
			if _, set := s.values[name]; !set {
				s.values[name] = stringsOf(value)
			}
		}
	}
	return s, nil
}

// readOption reads an option with its values.
func (s *deploySettings) readOption(words []string) {
	name, value, joined := strings.Cut(strings.TrimLeft(words[0], "-"), "=")
	name = strings.ReplaceAll(name, "-", "_")
	values := words[1:]
	switch {
	case joined:
		values = append([]string{value}, values...)
	case len(values) == 0:
		values = []string{strconv.FormatBool(!strings.HasPrefix(name, "no_"))}
		name = strings.TrimPrefix(name, "no_")
	}
	s.values[name] = values
	if name != "region" {
		s.rest = append(s.rest, words...)
	}
}

// stringsOf returns a value of samconfig.toml, or the elements of a list, as arguments.
func stringsOf(value any) []string {
	list, ok := value.([]any)
	if !ok {
		return []string{fmt.Sprint(value)}
	}
	var words []string
	for _, element := range list {
		words = append(words, stringsOf(element)...)
	}
	return words
}
