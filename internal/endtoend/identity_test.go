package endtoend_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

type identity = events.APIGatewayV2HTTPRequestContextAuthorizerDescription

// jwtIdentity is what the gateway passes on of a JWT. Authorizers give the scopes as a list, a claim, or both.
func jwtIdentity(subject, claim string, scopes ...string) *identity {
	return &identity{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{
		Claims: map[string]string{"sub": subject, "scope": claim, "iss": "https://issuer.example"}, Scopes: scopes,
	}}
}

// iamIdentity is what the gateway passes on of a SigV4 signature.
func iamIdentity(arn string) *identity {
	return &identity{IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{
		AccessKey: "AKIAIOSFODNN7EXAMPLE", AccountID: "123456789012", CallerID: "AIDA", UserARN: arn, UserID: "AIDA",
	}}
}

// claimsIdentity is what the gateway passes on of a JWT with these claims and without a list of scopes.
func claimsIdentity(pairs ...string) *identity {
	all := map[string]string{"iss": "https://issuer.example", "aud": "datastorage"}
	for pair := range slices.Chunk(pairs, 2) {
		all[pair[0]] = pair[1]
	}
	return &identity{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: all}}
}

const (
	reading = "datastorage/read"
	writing = "datastorage/write"
	role    = "arn:aws:sts::123456789012:assumed-role/controller/session"
)

// TestIdentity calls every operation as each kind of caller.
func TestIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		identity    *identity
		read, write int // status of the refusal; 0 if the request is served
	}{
		"both scopes as a list":      {jwtIdentity("controller", "", reading, writing), 0, 0},
		"both scopes as a claim":     {jwtIdentity("controller", "openid "+reading+" "+writing), 0, 0},
		"read only":                  {jwtIdentity("dashboard", reading), 0, 403},
		"write only":                 {jwtIdentity("controller", "", writing), 403, 0},
		"another scope":              {jwtIdentity("stranger", "datastorage", "datastorage/reading"), 403, 403},
		"no scope":                   {jwtIdentity("stranger", ""), 403, 403},
		"no subject":                 {jwtIdentity("", reading+" "+writing), 401, 401},
		"a subject of no character":  {jwtIdentity("a\nb", reading+" "+writing), 401, 401},
		"a subject of a space":       {jwtIdentity(" ", reading+" "+writing), 401, 401},
		"a subject turned around":    {jwtIdentity("root\u202egpj", reading+" "+writing), 401, 401},
		"a subject in tags":          {jwtIdentity("<script>", reading+" "+writing), 401, 401},
		"no claims":                  {&identity{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{}}, 401, 401},
		"no claims but scopes":       {&identity{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Scopes: []string{reading, writing}}}, 401, 401},
		"scopes as a list claim":     {claimsIdentity("sub", "controller", "scope", "["+reading+" "+writing+"]"), 0, 0},
		"scp as a claim":             {claimsIdentity("sub", "controller", "scp", reading+" "+writing), 0, 0},
		"scp as a list":              {claimsIdentity("sub", "controller", "scp", "[openid "+reading+"]"), 0, 403},
		"a scope in another claim":   {claimsIdentity("sub", "stranger", "permissions", reading+" "+writing, "roles", writing), 403, 403},
		"a scope that begins so":     {claimsIdentity("sub", "stranger", "scope", reading+"x "+writing+"/own"), 403, 403},
		"scopes in capitals":         {claimsIdentity("sub", "stranger", "scope", "DATASTORAGE/READ DataStorage/Write"), 403, 403},
		"scopes with commas":         {claimsIdentity("sub", "stranger", "scope", reading+","+writing), 403, 403},
		"a client of Cognito":        {claimsIdentity("client_id", "1example23456789", "token_use", "access", "scope", reading+" "+writing), 0, 0},
		"an authorized party":        {claimsIdentity("azp", "robot", "scp", reading), 0, 403},
		"a client without scope":     {claimsIdentity("client_id", "robot"), 403, 403},
		"a client of no character":   {claimsIdentity("client_id", "a\x00b", "scope", reading+" "+writing), 401, 401},
		"a user's name for a client": {claimsIdentity("username", "root", "cognito:username", "root", "email", "root@example.com", "scope", reading+" "+writing), 401, 401},
		"a signature":                {iamIdentity(role), 0, 0},
		"a user's signature":         {iamIdentity("arn:aws:iam::123456789012:user/ops/ann"), 0, 0},
		"a signature without a user": {iamIdentity(""), 401, 401},
		"a signature of a space":     {iamIdentity("  "), 401, 401},
		"an ARN of two lines":        {iamIdentity(role + "\nactor: root"), 401, 401},
		"an ARN turned around":       {iamIdentity(role + "\u2066"), 401, 401},
		"an ARN that ends in NUL":    {iamIdentity(role + "\x00"), 401, 401},
		"an empty authorizer":        {&identity{}, 401, 401},
		"a Lambda authorizer":        {&identity{Lambda: map[string]any{"sub": "x", "scope": reading}}, 401, 401},
		"no credentials":             {nil, 401, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stack := endtoend.New(t, endtoend.Options{Identity: c.identity, Anonymous: c.identity == nil})
			if c.read == 0 && c.write == 0 {
				wantServed(t, stack)
				return
			}
			nowhere := http.StatusNotFound
			if c.read == 401 && c.write == 401 {
				nowhere = http.StatusUnauthorized
			}
			checkUnknownPath(t, stack, nowhere)
			for operation, ask := range allOperations(stack.Client) {
				want := c.read
				if isWrite(operation) {
					want = c.write
				}
				wantStatus(t, operation, ask(t.Context()), want)
			}
			if n := countJournal(stack); c.write != 0 && n != 0 {
				t.Errorf("%d journal entries", n)
			}
			if _, err := stack.Client.Health(t.Context()); err != nil {
				t.Errorf("health: %v", err)
			}
		})
	}
}

// checkUnknownPath requests an unknown path.
func checkUnknownPath(t *testing.T, stack *endtoend.Stack, want int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, stack.URL+"/v1/nowhere", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != want {
		t.Errorf("an unknown path: %d %v, want %d", response.StatusCode, err, want)
	}
}

func allOperations(api *client.Client) map[string]func(context.Context) error {
	all := operations(api)
	all["ready"] = func(ctx context.Context) error {
		_, err := api.Ready(ctx)
		return err
	}
	return all
}

func isWrite(operation string) bool {
	switch operation {
	case "create", "batch", "update", "analysis", "workflow", "execution":
		return true
	}
	return false
}

// wantStatus checks the status of a refusal. An authorised caller gets a 404, because nothing is stored.
func wantStatus(t *testing.T, operation string, err error, want int) {
	t.Helper()
	var refusal *client.Error
	if want == 0 {
		if err != nil && !errors.Is(err, client.ErrNotFound) {
			t.Errorf("%s: %v", operation, err)
		}
		return
	}
	if !errors.As(err, &refusal) || refusal.StatusCode != want {
		t.Errorf("%s: %v, want %d", operation, err, want)
		return
	}
	kinds := map[int]string{401: "urn:datastorage:problem:unauthenticated", 403: "urn:datastorage:problem:forbidden"}
	if refusal.Problem.Type != kinds[want] || refusal.Problem.RequestID == "" {
		t.Errorf("%s: problem %+v", operation, refusal.Problem)
	}
}

// TestUnauthenticatedGetsAChallenge checks the header that RFC 9110 requires of a 401, and that an invalid
// request without authentication gets a 401, too.
func TestUnauthenticatedGetsAChallenge(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Anonymous: true})
	response, body := postBody(t, stack, "/v1/remediations", `{"name":1`)
	if response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%d %v %s", response.StatusCode, response.Header, body)
	}
}

// TestActor checks that the actor in the record, its children and the journal is the one that the gateway
// reports, and never one from the body.
func TestActor(t *testing.T) {
	t.Parallel()
	first := endtoend.New(t, endtoend.Options{Identity: jwtIdentity("controller-ü", reading+" "+writing)})
	second := endtoend.New(t, endtoend.Options{Identity: iamIdentity(role), Database: first.Database})
	response, body := postBody(t, first, "/v1/remediations", withMembers(recordMembers(), "actor", `"root"`))
	if response.StatusCode != 400 {
		t.Errorf("an actor in the body: %d %s", response.StatusCode, body)
	}
	createRecord(t, first, minimalRecord("r"))
	again, err := second.Client.CreateRemediation(t.Context(), minimalRecord("r"))
	if err != nil || !again.Replayed {
		t.Errorf("the same by another actor: %+v %v", again, err)
	}
	if _, err := second.Client.CreateAIAnalysis(t.Context(), "r", fullAnalysis("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Client.UpdateRemediation(t.Context(), "r", newPhase(client.PhaseFailed)); err != nil {
		t.Fatal(err)
	}
	got, err := first.Client.GetRemediation(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	if got.Actor != "controller-ü" || got.AIAnalyses[0].Actor != role {
		t.Errorf("recorded by %s, analysed by %s", got.Actor, got.AIAnalyses[0].Actor)
	}
	history, err := first.Client.History(t.Context(), "r", client.GetHistoryParams{})
	if err != nil {
		t.Fatal(err)
	}
	var actors []string
	for _, entry := range history.Data {
		actors = append(actors, entry.Actor, canonical(t, entry).Actor)
	}
	if diff := gocmp.Diff([]string{"controller-ü", "controller-ü", role, role, role, role}, actors); diff != "" {
		t.Error(diff)
	}
}

// TestActorOfEachIdentity checks the actor in the journal for each kind of caller.
func TestActorOfEachIdentity(t *testing.T) {
	t.Parallel()
	first := endtoend.New(t, endtoend.Options{})
	const both = reading + " " + writing
	for want, caller := range map[string]*identity{
		"user-1":                                 claimsIdentity("sub", "user-1", "client_id", "app", "azp", "app", "username", "root", "scope", both),
		"client:1example23456789":                claimsIdentity("client_id", "1example23456789", "scope", both),
		"client:robot":                           claimsIdentity("azp", "robot", "scope", both),
		"client:app":                             claimsIdentity("client_id", "app", "azp", "other", "scope", both),
		"arn:aws:iam::123456789012:user/ops/ann": iamIdentity("arn:aws:iam::123456789012:user/ops/ann"),
		"arn:aws:iam::123456789012:root":         iamIdentity("arn:aws:iam::123456789012:root"),
		role:                                     iamIdentity(role),
		"arn:aws:sts::123456789012:federated-user/Ünïcødé-名前": iamIdentity("arn:aws:sts::123456789012:federated-user/Ünïcødé-名前"),
	} {
		stack := endtoend.New(t, endtoend.Options{Identity: caller, Database: first.Database})
		id := "by " + strings.ReplaceAll(want, "/", "|")
		createRecord(t, stack, minimalRecord(id))
		got, err := stack.Client.GetRemediation(t.Context(), id)
		if err != nil || got.Actor != want {
			t.Errorf("recorded by %q, want %q: %v", got.Actor, want, err)
		}
		history, err := stack.Client.History(t.Context(), id, client.GetHistoryParams{})
		if err != nil || len(history.Data) != 1 || history.Data[0].Actor != want {
			t.Errorf("journal of %q: %+v %v", want, history, err)
		}
	}
}

// TestForgedActor sends an actor with every write, in every place from which a careless service would take it.
// As a field it is refused like every unknown field; in a header or in metadata it has no effect. Refused
// writes store nothing.
func TestForgedActor(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Identity: jwtIdentity("controller", reading+" "+writing)})
	createRecord(t, stack, minimalRecord("begun"))
	before := tableContents(t, stack)
	const forged = `"actor":"root"`
	for path, body := range map[string]string{
		"/v1/remediations":                   withMembers(recordMembers(), "actor", `"root"`),
		"/v1/remediations/begun/ai-analyses": `{"analysis_id":"new","provider":"p","model":"m",` + forged + `}`,
		"/v1/remediations/begun/workflows":   `{"workflow_id":"new","phase":"planning","total_steps":0,"completed_steps":0,"start_time":"2026-01-02T03:04:05Z",` + forged + `}`,
		"/v1/remediations/begun/executions":  `{"workflow_id":"new","execution_id":"new","action_type":"a","success":true,"start_time":"2026-01-02T03:04:05Z",` + forged + `}`,
	} {
		if response, body := postBody(t, stack, path, body); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
	batch, body := postBody(t, stack, "/v1/remediations/batch", `{"records":[`+withMembers(recordMembers(), "actor", `"root"`)+`],`+forged+`}`)
	if batch.StatusCode != http.StatusBadRequest {
		t.Errorf("batch: %d %s", batch.StatusCode, body)
	}
	if diff := gocmp.Diff(before, tableContents(t, stack)); diff != "" {
		t.Errorf("the database changed (-before +after):\n%s", diff)
	}
	aside := minimalRecord("aside")
	aside.Metadata = client.Metadata(`{"actor":"root","sub":"root"}`)
	createRecord(t, stack, aside)
	if got, err := stack.Client.GetRemediation(t.Context(), "aside"); err != nil || got.Actor != "controller" {
		t.Errorf("recorded by %q: %v", got.Actor, err)
	}
}
