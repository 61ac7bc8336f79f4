package datastorage_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/function"
)

// The tests of this file check the parameters of providers and functions in template.yaml.

// permissions are the statements of EmbeddingPolicy, each as its action and a resource, and the value of its condition.
func (d deployment) permissions() []string {
	var all []string
	for _, s := range asList(valueAt(d.resource("EmbeddingPolicy"), "PolicyDocument", "Statement")) {
		condition := ""
		if equals, ok := valueAt(s, "Condition", "StringEquals").(tree); ok {
			for name, value := range equals {
				condition = fmt.Sprintf(" if %s is %v", name, value)
			}
		}
		for _, resource := range asList(valueAt(s, "Resource")) {
			all = append(all, fmt.Sprintf("%v %v%s", valueAt(s, "Action"), resource, condition))
		}
	}
	return all
}

// TestEmbeddingPolicy checks what functions may do at a provider, and that it is no more than the parameters name.
func TestEmbeddingPolicy(t *testing.T) {
	t.Parallel()
	const (
		region  = "bedrock:InvokeModel arn:aws:bedrock:eu-central-1::foundation-model/"
		profile = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.cohere.embed-v4:0"
		own     = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/qibm5eutlkcy"
		secret  = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-a1B2c3"
		other   = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:next-a1B2c3"
		key     = "arn:aws:kms:eu-central-1:123456789012:key/1"
	)
	byProfile := func(profile, model string) []string {
		condition := " if bedrock:InferenceProfileArn is " + profile
		return []string{
			"bedrock:InvokeModel " + profile,
			"bedrock:InvokeModel arn:aws:bedrock:*::foundation-model/" + model + condition,
			"bedrock:InvokeModel arn:aws:bedrock:::foundation-model/" + model + condition,
		}
	}
	for parameters, want := range map[string][]string{
		"": nil, "EmbeddingProvider=openai": nil, "EmbeddingKeyArn=" + key: nil,
		"EmbeddingProvider=bedrock":                                                                        {region + "amazon.titan-embed-text-v2:0"},
		"EmbeddingProvider=bedrock EmbeddingModel=cohere.embed-v4:0":                                       {region + "cohere.embed-v4:0"},
		"EmbeddingNextProvider=bedrock EmbeddingNextModel=m":                                               {region + "m"},
		"EmbeddingProvider=bedrock EmbeddingNextProvider=bedrock EmbeddingNextModel=m":                     {region + "amazon.titan-embed-text-v2:0", region + "m"},
		"EmbeddingProvider=bedrock EmbeddingModel=cohere.embed-v4:0 EmbeddingProfile=eu.cohere.embed-v4:0": byProfile(profile, "cohere.embed-v4:0"),
		"EmbeddingProvider=bedrock EmbeddingModel=cohere.embed-v4:0 EmbeddingProfile=" + profile:           byProfile(profile, "cohere.embed-v4:0"),
		"EmbeddingProvider=bedrock EmbeddingProfile=" + own:                                                byProfile(own, "amazon.titan-embed-text-v2:0"),
		"EmbeddingNextProvider=bedrock EmbeddingNextProfile=" + own:                                        byProfile(own, "amazon.titan-embed-text-v2:0"),

		"EmbeddingProvider=openai EmbeddingApiKeySecretArn=" + secret:        {"secretsmanager:GetSecretValue " + secret},
		"EmbeddingNextProvider=openai EmbeddingNextApiKeySecretArn=" + other: {"secretsmanager:GetSecretValue " + other},
		"EmbeddingApiKeySecretArn=" + secret + " EmbeddingNextApiKeySecretArn=" + other + " EmbeddingKeyArn=" + key: {
			"secretsmanager:GetSecretValue " + secret, "secretsmanager:GetSecretValue " + other,
			"kms:Decrypt " + key + " if kms:ViaService is secretsmanager.eu-central-1.amazonaws.com",
		},
	} {
		if diff := cmp.Diff(want, deploy(t, parameters).permissions()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", parameters, diff)
		}
	}
}

// TestPatterns checks which values of the parameters for profiles and secrets are accepted.
func TestPatterns(t *testing.T) {
	t.Parallel()
	const account = ":eu-central-1:123456789012:"
	accepted := map[string][]string{
		"EmbeddingProfile":         {"", "eu.cohere.embed-v4:0", "us-gov.m", "arn:aws:bedrock" + account + "inference-profile/eu.m:0", "arn:aws:bedrock" + account + "application-inference-profile/q1"},
		"EmbeddingApiKeySecretArn": {"", "arn:aws:secretsmanager" + account + "secret:key-a1B2c3"},
		"EmbeddingKeyArn":          {"", "arn:aws:kms" + account + "key/1"},
	}
	refused := map[string][]string{
		"EmbeddingProfile":         {"cohere", "arn:aws:s3:::b", "arn:aws:bedrock:eu-central-1::foundation-model/cohere.embed-v4:0", "*"},
		"EmbeddingApiKeySecretArn": {"key", "*", "sk-1", "arn:aws:secretsmanager:*:*:secret:*"},
		"EmbeddingKeyArn":          {"*", "alias/a", "arn:aws:kms" + account + "alias/a"},
	}
	template := readTemplate(t)
	for _, name := range slices.Sorted(maps.Keys(accepted)) {
		for _, parameter := range []string{name, strings.Replace(name, "Embedding", "EmbeddingNext", 1)} {
			text := valueAt(template, "Parameters", parameter, "AllowedPattern")
			if text == nil && parameter == "EmbeddingNextKeyArn" {
				continue // both secrets have the same key
			}
			pattern := regexp.MustCompile("^(?:" + fmt.Sprint(text) + ")$")
			for value, want := range valuesWanted(accepted[name], refused[name]) {
				if pattern.MatchString(value) != want {
					t.Errorf("%s=%q is accepted: %v", parameter, value, !want)
				}
			}
		}
	}
}

func valuesWanted(accepted, refused []string) map[string]bool {
	wanted := map[string]bool{}
	for _, value := range accepted {
		wanted[value] = true
	}
	for _, value := range refused {
		wanted[value] = false
	}
	return wanted
}

// tunedParameters are the parameters that set a variable of the functions, and that are neither names nor addresses.
var tunedParameters = map[string]string{
	"LogLevel": "DATASTORAGE_LOG_LEVEL", "RequestTimeout": "DATASTORAGE_REQUEST_TIMEOUT", "DatabaseConnections": "DATASTORAGE_DATABASE_MAX_CONNS",
	"EmbeddingDeadline": "DATASTORAGE_EMBEDDING_DEADLINE", "EmbeddingBatch": "DATASTORAGE_EMBEDDING_BATCH", "EmbeddingInFlight": "DATASTORAGE_EMBEDDING_IN_FLIGHT",
}

// TestParameterRanges checks that the functions accept what the template accepts, no less if the template has a range, and that the
// defaults are those of the documentation.
func TestParameterRanges(t *testing.T) {
	t.Parallel()
	docs := read(t, "docs/configuration.md")
	load := func(parameter, value string) error {
		variables := deploy(t, "EmbeddingNextProvider=hashing "+parameter+"="+value).variables("WriteFunction")
		_, err := function.Load(func(name string) string { return variables[name] })
		return err
	}
	for parameter, variable := range tunedParameters {
		declared := readTemplate(t)["Parameters"].(tree)[parameter]
		value := deploy(t, "").variables("WriteFunction")[variable]
		row := regexp.MustCompile("(?m)^\\| `" + variable + "` .*\\| " + regexp.QuoteMeta(value) + "[;]?.* \\|$")
		if value == "" || !row.MatchString(docs) {
			t.Errorf("%s is %q by default, docs/configuration.md: %s", variable, value, regexp.MustCompile("(?m)^\\| `"+variable+"` .*$").FindString(docs))
		}
		for _, allowed := range asList(valueAt(declared, "AllowedValues")) {
			if err := load(parameter, fmt.Sprint(allowed)); err != nil {
				t.Errorf("%s=%v: %v", parameter, allowed, err)
			}
		}
		for bound, step := range map[string]int{"MinValue": -1, "MaxValue": 1} {
			limit, err := strconv.Atoi(fmt.Sprint(valueAt(declared, bound)))
			if err != nil {
				continue
			}
			if err := load(parameter, strconv.Itoa(limit)); err != nil {
				t.Errorf("%s=%d: %v", parameter, limit, err)
			}
			if err := load(parameter, strconv.Itoa(limit+step)); err == nil || !strings.Contains(err.Error(), variable) {
				t.Errorf("%s=%d is outside the template's range, but not outside that of %s: %v", parameter, limit+step, variable, err)
			}
		}
		if valueAt(declared, "AllowedValues") == nil && (valueAt(declared, "MinValue") == nil || valueAt(declared, "MaxValue") == nil) {
			t.Errorf("%s has no range", parameter)
		}
	}
	for _, variable := range []string{"DATASTORAGE_EMBEDDING_DEADLINE", "DATASTORAGE_EMBEDDING_NEXT_DEADLINE"} {
		if value := deploy(t, "EmbeddingDeadline=5").variables("MaintainFunction")[variable]; value != "" {
			t.Errorf("maintain waits for %s instead of its own default", value)
		}
	}
}

// TestBedrockRules checks that the template refuses, before a database is made, the models and dimensions of Bedrock that the functions
// refuse.
func TestBedrockRules(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	checked := map[bool]int{}
	for _, model := range []string{
		"", "amazon.titan-embed-text-v2:0", "amazon.nova-2-multimodal-embeddings-v1:0", "cohere.embed-v4:0", "cohere.embed-english-v3",
		"cohere.embed-multilingual-v3", "amazon.titan-embed-text-v1",
	} {
		for _, dimensions := range []int{0, 10, 256, 384, 512, 1024, 1536, 3072} {
			settings := embedding.Settings{Provider: "bedrock", Model: model, Dimensions: dimensions}
			_, err := embedding.Open(t.Context(), settings)
			checked[err == nil]++
			value := strings.TrimPrefix(strconv.Itoa(dimensions), "0")
			for _, prefix := range []string{"Embedding", "EmbeddingNext"} {
				parameters := fmt.Sprintf("%[1]sProvider=bedrock %[1]sModel=%[2]s %[1]sDimensions=%[3]s", prefix, model, value)
				if refusals := deploy(t, parameters).refusals(); (len(refusals) == 0) != (err == nil) {
					t.Errorf("%s: refused for %q, the function says %v", parameters, refusals, err)
				}
			}
		}
	}
	if checked[true] < 15 || checked[false] < 15 {
		t.Errorf("%d combinations are accepted, %d refused", checked[true], checked[false])
	}
}

// TestTimeouts checks that a request ends before its function and the gateway, and vectors before the request.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	const gateway = 30 // API Gateway's limit for HTTP APIs, in seconds
	limit, err := strconv.Atoi(fmt.Sprint(valueAt(template, "Globals", "Function", "Timeout")))
	if err != nil {
		t.Fatal(err)
	}
	for _, timeout := range asList(valueAt(template, "Parameters", "RequestTimeout", "AllowedValues")) {
		seconds, err := strconv.Atoi(fmt.Sprint(timeout))
		if err != nil || seconds >= min(limit, gateway) {
			t.Errorf("RequestTimeout=%v: a function ends after %d s, the gateway's limit is %d s", timeout, limit, gateway)
		}
		for _, deadline := range asList(valueAt(template, "Parameters", "EmbeddingDeadline", "AllowedValues")) {
			wait, err := strconv.Atoi(fmt.Sprint(deadline))
			refusals := deploy(t, fmt.Sprintf("RequestTimeout=%v EmbeddingDeadline=%v", timeout, deadline)).refusals()
			if err != nil || (len(refusals) > 0) != (wait >= seconds) {
				t.Errorf("RequestTimeout=%v EmbeddingDeadline=%v: %v", timeout, deadline, refusals)
			}
		}
	}
}

// TestMemory checks that the limit of Go's heap is below the memory of the sandbox, and near it, for each size.
func TestMemory(t *testing.T) {
	t.Parallel()
	sizes := asList(valueAt(readTemplate(t), "Parameters", "MemorySize", "AllowedValues"))
	for _, size := range sizes {
		memory, err := strconv.Atoi(fmt.Sprint(size))
		variables := deploy(t, fmt.Sprint("MemorySize=", size)).variables("WriteFunction")
		limit, limitErr := strconv.Atoi(strings.TrimSuffix(variables["GOMEMLIMIT"], "MiB"))
		if share := float64(limit) / float64(memory); err != nil || limitErr != nil || share < 0.75 || share > 0.85 {
			t.Errorf("GOMEMLIMIT is %q for %v MB", variables["GOMEMLIMIT"], size)
		}
	}
	if len(sizes) < 3 {
		t.Errorf("%d sizes", len(sizes))
	}
}
