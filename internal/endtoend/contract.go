package endtoend

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/paths"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/datastorage-service/datastorage/internal/functiontest"
)

// Contract checks messages against openapi.yaml and counts what it has checked. Its
// methods may be called concurrently.
type Contract struct {
	document  libopenapi.Document
	model     *v3.Document
	requests  validator.Validator
	responses validator.Validator
	options   *config.ValidationOptions

	mu   sync.Mutex
	seen map[string]map[int]int
}

// LoadContract reads the contract once per process.
var LoadContract = sync.OnceValues(func() (*Contract, error) {
	root, err := functiontest.FindRoot()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "openapi.yaml"))
	if err != nil {
		return nil, err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	// The gateway checks the caller's signature or token, so these messages do not include it.
	options := []config.Option{config.WithFormatAssertions(), config.WithoutSecurityValidation()}
	// Undocumented headers are errors, except these, which belong to HTTP and to the gateway.
	strict := append(options, config.WithStrictMode(), config.WithStrictIgnorePaths("$.body.metadata.**", "$.body.**.metadata.**"), config.WithStrictIgnoredHeadersExtra(
		"Allow", "Apigw-Requestid", "Cache-Control", "Vary", "Www-Authenticate", "X-Content-Type-Options"))
	return &Contract{
		document:  document,
		model:     &model.Model,
		requests:  validator.NewValidatorFromV3Model(&model.Model, options...),
		responses: validator.NewValidatorFromV3Model(&model.Model, strict...),
		options:   config.NewValidationOptions(options...),
		seen:      map[string]map[int]int{},
	}, nil
})

// Operations lists the contract's operations, as "GET /health", each with its documented statuses except default.
func (c *Contract) Operations() map[string][]int {
	all := map[string][]int{}
	for path, item := range c.model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			key := strings.ToUpper(method) + " " + path
			all[key] = []int{}
			for status := range operation.Responses.Codes.KeysFromOldest() {
				if code, err := strconv.Atoi(status); err == nil {
					all[key] = append(all[key], code)
				}
			}
		}
	}
	return all
}

// Document returns in what the contract is not a document of OpenAPI 3.1.
func (c *Contract) Document() error {
	_, errs := schema_validation.ValidateOpenAPIDocument(c.document)
	return describeValidationErrors("openapi.yaml", errs)
}

// Defaults returns the default values of the query parameters of each operation that has some.
func (c *Contract) Defaults() map[string]url.Values {
	all := map[string]url.Values{}
	for path, item := range c.model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			defaults := url.Values{}
			for _, parameter := range operation.Parameters {
				if schema := parameter.Schema.Schema(); schema.Default != nil {
					defaults.Set(parameter.Name, schema.Default.Value)
				}
			}
			if len(defaults) > 0 {
				all[strings.ToUpper(method)+" "+path] = defaults
			}
		}
	}
	return all
}

// Seen returns how often each status of each operation has been checked. The empty operation counts paths and
// methods that are not in the contract.
func (c *Contract) Seen() map[string]map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[string]map[int]int{}
	for operation, statuses := range c.seen {
		seen[operation] = maps.Clone(statuses)
	}
	return seen
}

// Request returns what is wrong with a request. The body can be read again.
func (c *Contract) Request(r *http.Request) error {
	_, errs := c.requests.ValidateHttpRequestSync(r)
	return joinValidationErrors("request", r, errs)
}

// Response returns what is wrong with the response to a request: its status, headers and body must be
// documented for the operation. For a path or method that is not in the contract, the response must be a
// problem. The body can be read again.
func (c *Contract) Response(r *http.Request, response *http.Response) error {
	operation := c.operationOf(r)
	c.countResponse(operation, response.StatusCode)
	if operation == "" {
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusMethodNotAllowed {
			return fmt.Errorf("%s %s: status %d on no operation of the contract", r.Method, r.URL.Path, response.StatusCode)
		}
		// Every operation documents the same problem.
		r, _ = http.NewRequestWithContext(r.Context(), http.MethodGet, "http://localhost/health", nil)
	}
	check := c.responses
	if operation == "GET /openapi.json" {
		check = c.requests // not strict: OpenAPI declares the members of this body
	}
	_, errs := check.ValidateHttpResponse(r, response)
	return joinValidationErrors(fmt.Sprintf("response %d", response.StatusCode), r, errs)
}

func (c *Contract) operationOf(r *http.Request) string {
	item, errs, path := paths.FindPath(r, c.model, c.options)
	if item == nil || len(errs) > 0 {
		return ""
	}
	for method := range item.GetOperations().FromOldest() {
		if strings.EqualFold(method, r.Method) {
			return r.Method + " " + path
		}
	}
	return ""
}

func (c *Contract) countResponse(operation string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[operation] == nil {
		c.seen[operation] = map[int]int{}
	}
	c.seen[operation][status]++
}

func joinValidationErrors(what string, r *http.Request, errs []*errors.ValidationError) error {
	return describeValidationErrors(fmt.Sprintf("%s of %s %s", what, r.Method, r.URL.Path), errs)
}

func describeValidationErrors(what string, errs []*errors.ValidationError) error {
	if len(errs) == 0 {
		return nil
	}
	var lines []string
	for _, validationError := range errs {
		lines = append(lines, validationError.Message+": "+validationError.Reason)
		for _, cause := range validationError.SchemaValidationErrors {
			lines = append(lines, "  "+cause.FieldPath+" "+cause.Reason)
		}
	}
	return fmt.Errorf("%s breaks the contract:\n%s", what, strings.Join(lines, "\n"))
}

// checker checks every exchange against the contract.
type checker struct {
	tb       testing.TB
	contract *Contract
	next     http.RoundTripper
	// requests is set if requests must be valid, too.
	requests bool
}

// RoundTrip reports breaches of the contract as errors of the test.
func (c *checker) RoundTrip(r *http.Request) (*http.Response, error) {
	asked, sent, err := duplicateRequest(r)
	if err != nil {
		return nil, err
	}
	if c.requests {
		if err := c.contract.Request(asked); err != nil {
			c.tb.Error(err)
		}
	}
	response, err := c.next.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	if err := bufferBody(response); err != nil {
		return nil, err
	}
	if err := c.contract.Response(asked, response); err != nil {
		c.tb.Error(err)
	}
	return response, nil
}

// duplicateRequest copies a request, because a body can be read only once.
func duplicateRequest(r *http.Request) (_, _ *http.Request, err error) {
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, nil, err
		}
		_ = r.Body.Close()
	}
	first, second := r.Clone(r.Context()), r.Clone(r.Context())
	for _, one := range []*http.Request{first, second} {
		one.Body, one.GetBody = http.NoBody, nil
		if len(body) > 0 {
			one.Body = io.NopCloser(bytes.NewReader(body))
		}
	}
	return first, second, nil
}

func bufferBody(response *http.Response) error {
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	return err
}
