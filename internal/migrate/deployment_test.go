package migrate_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/migrate"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

// cloudFormation is the server to which a custom resource responds. It records the responses.
type cloudFormation struct {
	*httptest.Server
	responses []cfn.Response
}

func newCloudFormation(t *testing.T) *cloudFormation {
	t.Helper()
	c := &cloudFormation{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPut || r.Header.Get("Content-Type") != "" {
			t.Errorf("%s with type %q: %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		if len(body) > 4096 {
			t.Errorf("a response of %d bytes, CloudFormation takes 4096", len(body))
		}
		var response cfn.Response
		if err := json.Unmarshal(body, &response); err != nil {
			t.Errorf("response %s: %v", body, err)
		}
		c.responses = append(c.responses, response)
	}))
	t.Cleanup(c.Close)
	return c
}

// latest is the schema version as formatted in a response.
var latest = strconv.FormatInt(migrations.Latest(), 10)

// event returns an event of CloudFormation, as in its user guide.
func (c *cloudFormation) event(requestType, physicalID string) string {
	return `{"RequestType": "` + requestType + `", "ResponseURL": "` + c.URL + `/response?Signature=s", "RequestId": "r-1",
		"StackId": "arn:aws:cloudformation:eu-central-1:000000000000:stack/s/1", "LogicalResourceId": "Migration",
		"ResourceType": "Custom::Migration", "PhysicalResourceId": "` + physicalID + `",
		"ResourceProperties": {"ServiceToken": "arn", "ServiceTimeout": "960", "SchemaVersion": "1"}}`
}

func (c *cloudFormation) wantResponse(status cfn.StatusType, physicalID string, data map[string]any) cfn.Response {
	return cfn.Response{
		Status: status, RequestID: "r-1", StackID: "arn:aws:cloudformation:eu-central-1:000000000000:stack/s/1",
		LogicalResourceID: "Migration", PhysicalResourceID: physicalID, Data: data,
	}
}

// invoke invokes the function like Lambda.
func invoke(ctx context.Context, t *testing.T, config migrate.Config, payload string) (string, error) {
	t.Helper()
	migrate, err := migrate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	response, err := lambda.NewHandler(migrate.Invoke).Invoke(ctx, []byte(payload))
	return string(response), err
}

// TestDeployment creates, updates and deletes the custom resource.
func TestDeployment(t *testing.T) {
	t.Parallel()
	database, stack := newEmptyDatabase(t), newCloudFormation(t)
	var names []string
	for _, migration := range migrations.All() {
		names = append(names, migration.Name)
	}
	for _, request := range []string{stack.event("Create", ""), stack.event("Update", "datastorage-schema"), stack.event("Delete", "datastorage-schema")} {
		if _, err := invoke(t.Context(), t, newConfig(t, database.AdminURL()), request); err != nil {
			t.Fatal(err)
		}
	}
	want := []cfn.Response{
		stack.wantResponse(cfn.StatusSuccess, "datastorage-schema", map[string]any{"Version": latest, "Applied": strings.Join(names, " ")}),
		stack.wantResponse(cfn.StatusSuccess, "datastorage-schema", map[string]any{"Version": latest, "Applied": ""}),
		stack.wantResponse(cfn.StatusSuccess, "datastorage-schema", nil),
	}
	if diff := cmp.Diff(want, stack.responses, cmp.AllowUnexported(cfn.Response{})); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
	// Deleting leaves the database unchanged.
	execSQL(t, database.ReaderURL(), "SELECT FROM remediation_audit")
}

// TestDeploymentFails checks that CloudFormation receives the reason for a failure without secrets,
// and that deleting a stack needs no database.
func TestDeploymentFails(t *testing.T) {
	t.Parallel()
	stack := newCloudFormation(t)
	config := newConfig(t, "postgres://datastorage_admin:hunter2@127.0.0.1:1/nowhere")
	for _, request := range []string{stack.event("Create", ""), stack.event("Delete", "datastorage-schema")} {
		if _, err := invoke(t.Context(), t, config, request); err != nil {
			t.Fatalf("the invocation is repeated by Lambda, although CloudFormation got a response: %v", err)
		}
	}
	if len(stack.responses) != 2 || stack.responses[0].Status != cfn.StatusFailed || stack.responses[1].Status != cfn.StatusSuccess {
		t.Fatalf("responses %+v", stack.responses)
	}
	reason := stack.responses[0].Reason
	if !strings.Contains(reason, "connect as the schema's owner") && !strings.Contains(reason, "apply migrations") || strings.Contains(reason, "hunter2") {
		t.Errorf("reason %q", reason)
	}
}

// TestDeploymentWithoutSettings checks that a function that could not be wired reports the cause in one line, and can be deleted.
func TestDeploymentWithoutSettings(t *testing.T) {
	t.Parallel()
	stack := newCloudFormation(t)
	cause := errors.Join(errors.New("A must be set"), errors.New("B must be a number"))
	handler := lambda.NewHandler(migrate.Unusable(cause, slog.New(slog.DiscardHandler)).Invoke)
	for _, request := range []string{stack.event("Create", ""), stack.event("Update", "datastorage-schema"), stack.event("Delete", "datastorage-schema")} {
		if _, err := handler.Invoke(t.Context(), []byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	failed := stack.wantResponse(cfn.StatusFailed, "datastorage-schema", nil)
	failed.Reason = "migrate: A must be set; B must be a number"
	want := []cfn.Response{failed, failed, stack.wantResponse(cfn.StatusSuccess, "datastorage-schema", nil)}
	if diff := cmp.Diff(want, stack.responses, cmp.AllowUnexported(cfn.Response{})); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
	if _, err := handler.Invoke(t.Context(), []byte("{}")); err == nil || !strings.Contains(err.Error(), "A must be set") {
		t.Errorf("a direct invocation: %v", err)
	}
}

// TestDeploymentStops checks a migration that fails on an existing table: earlier migrations
// remain, and CloudFormation gets the reason.
func TestDeploymentStops(t *testing.T) {
	t.Parallel()
	database, stack := newEmptyDatabase(t), newCloudFormation(t)
	execSQL(t, database.AdminURL(), "CREATE TABLE remediation_audit (wrong text)")
	if _, err := invoke(t.Context(), t, newConfig(t, database.AdminURL()), stack.event("Create", "")); err != nil {
		t.Fatal(err)
	}
	if len(stack.responses) != 1 || stack.responses[0].Status != cfn.StatusFailed || !strings.Contains(stack.responses[0].Reason, "remediation_audit") {
		t.Fatalf("responses %+v", stack.responses)
	}
	execSQL(t, database.AdminURL(), "DROP TABLE remediation_audit")
	if _, err := invoke(t.Context(), t, newConfig(t, database.AdminURL()), stack.event("Update", "datastorage-schema")); err != nil {
		t.Fatal(err)
	}
	if last := stack.responses[len(stack.responses)-1]; last.Status != cfn.StatusSuccess || last.Data["Version"] != latest {
		t.Errorf("after the table was gone: %+v", last)
	}
}

// TestDeploymentRespondsInTime checks that a migration is given up while there is time to respond.
func TestDeploymentRespondsInTime(t *testing.T) {
	t.Parallel()
	database, stack := newEmptyDatabase(t), newCloudFormation(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(9*time.Second)) // less than the margin
	defer cancel()
	if _, err := invoke(ctx, t, newConfig(t, database.AdminURL()), stack.event("Create", "")); err != nil {
		t.Fatal(err)
	}
	if len(stack.responses) != 1 || stack.responses[0].Status != cfn.StatusFailed || !strings.Contains(stack.responses[0].Reason, "deadline") {
		t.Errorf("responses %+v", stack.responses)
	}
}

// TestDeploymentCannotRespond checks that an undelivered response is an error, so that Lambda
// repeats the invocation.
func TestDeploymentCannotRespond(t *testing.T) {
	t.Parallel()
	stack := newCloudFormation(t)
	stack.Close()
	if _, err := invoke(t.Context(), t, newConfig(t, postgrestest.New(t).AdminURL()), stack.event("Delete", "datastorage-schema")); err == nil {
		t.Error("the invocation counts as a success")
	}
}

// TestDirectInvocation invokes the function like aws lambda invoke, with and without a payload.
func TestDirectInvocation(t *testing.T) {
	t.Parallel()
	database := postgrestest.New(t)
	for _, payload := range []string{"{}", "null", `{"login": ""}`} {
		response, err := invoke(t.Context(), t, newConfig(t, database.AdminURL()), payload)
		if want := `{"applied":[],"version":` + latest + `}`; err != nil || strings.TrimSpace(response) != want {
			t.Errorf("%q: %s, %v, want %s", payload, response, err, want)
		}
	}
	for payload, want := range map[string]string{`[]`: "read the event", `{"login": "iam"}`: migrations.ErrNoIAM.Error()} {
		if _, err := invoke(t.Context(), t, newConfig(t, database.AdminURL()), payload); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", payload, err, want)
		}
	}
}

// TestOlderBuild checks that after a rollback the older build's migrate leaves the newer schema
// unchanged.
func TestOlderBuild(t *testing.T) {
	t.Parallel()
	database := postgrestest.New(t)
	execSQL(t, database.AdminURL(), "INSERT INTO "+migrations.VersionTable+" (version_id, is_applied) VALUES (9999, true)")
	if response, err := invoke(t.Context(), t, newConfig(t, database.AdminURL()), "{}"); err != nil || !strings.Contains(response, `"applied":[]`) {
		t.Errorf("%s, %v", response, err)
	}
}

// TestLoginByIAM creates the role of RDS: a deployment makes the service's roles its members, and a
// second deployment succeeds too.
func TestLoginByIAM(t *testing.T) { //nolint:paralleltest // the role belongs to the server that other tests use
	database, stack := newEmptyDatabase(t), newCloudFormation(t)
	execSQL(t, database.SuperuserURL(), "CREATE ROLE rds_iam")
	execSQL(t, database.SuperuserURL(), "GRANT rds_iam TO "+pgserver.AdminRole+" WITH ADMIN OPTION")
	t.Cleanup(func() { execSQL(t, database.SuperuserURL(), "DROP ROLE rds_iam") })
	for _, kind := range []string{"Create", "Update"} {
		event := strings.Replace(stack.event(kind, "datastorage-schema"), `"SchemaVersion"`, `"Login": "iam", "SchemaVersion"`, 1)
		if _, err := invoke(t.Context(), t, newConfig(t, database.AdminURL()), event); err != nil {
			t.Fatal(err)
		}
	}
	for _, response := range stack.responses {
		if response.Status != cfn.StatusSuccess {
			t.Errorf("%+v", response)
		}
	}
	execSQL(t, database.SuperuserURL(), `SELECT 1 / (count(*) = 2)::integer FROM pg_auth_members
		WHERE roleid = 'rds_iam'::regrole AND member IN ('datastorage_writer'::regrole, 'datastorage_reader'::regrole)`)
}
