package migrate_test

import (
	"context"
	"encoding/json"
	"io"
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

// cloudFormation is the address that a custom resource answers to, and what came there.
type cloudFormation struct {
	*httptest.Server
	answers []cfn.Response
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
			t.Errorf("an answer of %d bytes, CloudFormation takes 4096", len(body))
		}
		var answer cfn.Response
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Errorf("answer %s: %v", body, err)
		}
		c.answers = append(c.answers, answer)
	}))
	t.Cleanup(c.Close)
	return c
}

// latest is the schema's version as a response has it.
var latest = strconv.FormatInt(migrations.Latest(), 10)

// event is what CloudFormation sends, as its guide has it.
func (c *cloudFormation) event(requestType, physicalID string) string {
	return `{"RequestType": "` + requestType + `", "ResponseURL": "` + c.URL + `/answer?Signature=s", "RequestId": "r-1",
		"StackId": "arn:aws:cloudformation:eu-central-1:000000000000:stack/s/1", "LogicalResourceId": "Migration",
		"ResourceType": "Custom::Migration", "PhysicalResourceId": "` + physicalID + `",
		"ResourceProperties": {"ServiceToken": "arn", "ServiceTimeout": "960", "SchemaVersion": "1"}}`
}

func (c *cloudFormation) want(status cfn.StatusType, physicalID string, data map[string]any) cfn.Response {
	return cfn.Response{
		Status: status, RequestID: "r-1", StackID: "arn:aws:cloudformation:eu-central-1:000000000000:stack/s/1",
		LogicalResourceID: "Migration", PhysicalResourceID: physicalID, Data: data,
	}
}

// invoke is an invocation as Lambda makes it.
func invoke(ctx context.Context, t *testing.T, config migrate.Config, payload string) (string, error) {
	t.Helper()
	migrate, err := migrate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := lambda.NewHandler(migrate.Invoke).Invoke(ctx, []byte(payload))
	return string(answer), err
}

// TestDeployment is the life of the custom resource: made, updated, deleted.
func TestDeployment(t *testing.T) {
	t.Parallel()
	database, stack := empty(t), newCloudFormation(t)
	var names []string
	for _, migration := range migrations.All() {
		names = append(names, migration.Name)
	}
	for _, request := range []string{stack.event("Create", ""), stack.event("Update", "datastorage-schema"), stack.event("Delete", "datastorage-schema")} {
		if _, err := invoke(t.Context(), t, parts(t, database.AdminURL()), request); err != nil {
			t.Fatal(err)
		}
	}
	want := []cfn.Response{
		stack.want(cfn.StatusSuccess, "datastorage-schema", map[string]any{"Version": latest, "Applied": strings.Join(names, " ")}),
		stack.want(cfn.StatusSuccess, "datastorage-schema", map[string]any{"Version": latest, "Applied": ""}),
		stack.want(cfn.StatusSuccess, "datastorage-schema", nil),
	}
	if diff := cmp.Diff(want, stack.answers, cmp.AllowUnexported(cfn.Response{})); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	// Nothing was done to the database by the last.
	exec(t, database.ReaderURL(), "SELECT FROM remediation_audit")
}

// TestDeploymentFails shows that CloudFormation is told of a failure, with its reason and without a
// secret, and that deleting a stack needs no database.
func TestDeploymentFails(t *testing.T) {
	t.Parallel()
	stack := newCloudFormation(t)
	config := parts(t, "postgres://datastorage_admin:hunter2@127.0.0.1:1/nowhere")
	for _, request := range []string{stack.event("Create", ""), stack.event("Delete", "datastorage-schema")} {
		if _, err := invoke(t.Context(), t, config, request); err != nil {
			t.Fatalf("the invocation is repeated by Lambda, although CloudFormation was told: %v", err)
		}
	}
	if len(stack.answers) != 2 || stack.answers[0].Status != cfn.StatusFailed || stack.answers[1].Status != cfn.StatusSuccess {
		t.Fatalf("answers %+v", stack.answers)
	}
	reason := stack.answers[0].Reason
	if !strings.Contains(reason, "connect as the schema's owner") && !strings.Contains(reason, "apply migrations") || strings.Contains(reason, "hunter2") {
		t.Errorf("reason %q", reason)
	}
}

// TestDeploymentStops shows a migration that a table of the wrong shape stops: what was applied
// before stays, and CloudFormation is told.
func TestDeploymentStops(t *testing.T) {
	t.Parallel()
	database, stack := empty(t), newCloudFormation(t)
	exec(t, database.AdminURL(), "CREATE TABLE remediation_audit (wrong text)")
	if _, err := invoke(t.Context(), t, parts(t, database.AdminURL()), stack.event("Create", "")); err != nil {
		t.Fatal(err)
	}
	if len(stack.answers) != 1 || stack.answers[0].Status != cfn.StatusFailed || !strings.Contains(stack.answers[0].Reason, "remediation_audit") {
		t.Fatalf("answers %+v", stack.answers)
	}
	exec(t, database.AdminURL(), "DROP TABLE remediation_audit")
	if _, err := invoke(t.Context(), t, parts(t, database.AdminURL()), stack.event("Update", "datastorage-schema")); err != nil {
		t.Fatal(err)
	}
	if last := stack.answers[len(stack.answers)-1]; last.Status != cfn.StatusSuccess || last.Data["Version"] != latest {
		t.Errorf("after the table was gone: %+v", last)
	}
}

// TestDeploymentAnswersInTime shows that a migration that would outlast the function is given up
// while there is time to say so.
func TestDeploymentAnswersInTime(t *testing.T) {
	t.Parallel()
	database, stack := empty(t), newCloudFormation(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(9*time.Second)) // less than the margin
	defer cancel()
	if _, err := invoke(ctx, t, parts(t, database.AdminURL()), stack.event("Create", "")); err != nil {
		t.Fatal(err)
	}
	if len(stack.answers) != 1 || stack.answers[0].Status != cfn.StatusFailed || !strings.Contains(stack.answers[0].Reason, "deadline") {
		t.Errorf("answers %+v", stack.answers)
	}
}

// TestDeploymentCannotTell shows that Lambda repeats an invocation whose answer did not arrive.
func TestDeploymentCannotTell(t *testing.T) {
	t.Parallel()
	stack := newCloudFormation(t)
	stack.Close()
	if _, err := invoke(t.Context(), t, parts(t, postgrestest.New(t).AdminURL()), stack.event("Delete", "datastorage-schema")); err == nil {
		t.Error("the invocation counts as a success")
	}
}

// TestDirectInvocation is what a person does: aws lambda invoke, with or without a payload.
func TestDirectInvocation(t *testing.T) {
	t.Parallel()
	database := postgrestest.New(t)
	for _, payload := range []string{"{}", "null", `{"login": ""}`} {
		answer, err := invoke(t.Context(), t, parts(t, database.AdminURL()), payload)
		if want := `{"applied":[],"version":` + latest + `}`; err != nil || strings.TrimSpace(answer) != want {
			t.Errorf("%q: %s, %v, want %s", payload, answer, err, want)
		}
	}
	for payload, want := range map[string]string{`[]`: "read the event", `{"login": "iam"}`: migrations.ErrNoIAM.Error()} {
		if _, err := invoke(t.Context(), t, parts(t, database.AdminURL()), payload); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", payload, err, want)
		}
	}
}

// TestOlderBuild shows that a deployment that goes back runs the older build's migrate on the newer
// schema, and that it changes nothing.
func TestOlderBuild(t *testing.T) {
	t.Parallel()
	database := postgrestest.New(t)
	exec(t, database.AdminURL(), "INSERT INTO "+migrations.VersionTable+" (version_id, is_applied) VALUES (9999, true)")
	if answer, err := invoke(t.Context(), t, parts(t, database.AdminURL()), "{}"); err != nil || !strings.Contains(answer, `"applied":[]`) {
		t.Errorf("%s, %v", answer, err)
	}
}

// TestLoginByIAM stands the role of RDS in: a deployment makes the service's roles members of it,
// and a second one too.
func TestLoginByIAM(t *testing.T) { //nolint:paralleltest // the role belongs to the server that other tests use
	database, stack := empty(t), newCloudFormation(t)
	exec(t, database.SuperuserURL(), "CREATE ROLE rds_iam")
	exec(t, database.SuperuserURL(), "GRANT rds_iam TO "+pgserver.AdminRole+" WITH ADMIN OPTION")
	t.Cleanup(func() { exec(t, database.SuperuserURL(), "DROP ROLE rds_iam") })
	for _, kind := range []string{"Create", "Update"} {
		event := strings.Replace(stack.event(kind, "datastorage-schema"), `"SchemaVersion"`, `"Login": "iam", "SchemaVersion"`, 1)
		if _, err := invoke(t.Context(), t, parts(t, database.AdminURL()), event); err != nil {
			t.Fatal(err)
		}
	}
	for _, answer := range stack.answers {
		if answer.Status != cfn.StatusSuccess {
			t.Errorf("%+v", answer)
		}
	}
	exec(t, database.SuperuserURL(), `SELECT 1 / (count(*) = 2)::integer FROM pg_auth_members
		WHERE roleid = 'rds_iam'::regrole AND member IN ('datastorage_writer'::regrole, 'datastorage_reader'::regrole)`)
}
