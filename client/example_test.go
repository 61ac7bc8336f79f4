package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/datastorage-service/datastorage/client"
)

// A controller records an action before it starts, and its outcome afterwards. Repeating either
// call changes nothing.
func Example() {
	service := exampleService()
	defer service.Close()
	ctx := context.Background()

	c, err := client.New(service.URL)
	if err != nil {
		log.Fatal(err)
	}
	written, err := c.CreateRemediation(ctx, client.RemediationInput{
		RemediationID: "rem-2026-0001",
		Name:          "PodCrashLooping",
		Namespace:     "payments",
		ActionType:    "restart_pod",
		Phase:         client.PhaseProcessing,
		Status:        client.StatusRunning,
		Severity:      new(client.SeverityHigh),
		StartTime:     time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
		ErrorMessage:  new("OOMKilled: container exceeded its memory limit"),
		Metadata:      json.RawMessage(`{"replicas": 3}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("recorded as", written.ID, "- embedding", written.Embedding)

	updated, err := c.UpdateRemediation(ctx, "rem-2026-0001", client.RemediationUpdate{
		Phase:        new(client.PhaseCompleted),
		Status:       new(client.StatusSuccess),
		EndTime:      client.Set(time.Date(2026, 3, 1, 10, 1, 30, 0, time.UTC)),
		ErrorMessage: client.Null[string](),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ended as", updated.Status, "after", *updated.DurationMS, "ms")
	// Output:
	// recorded as 1 - embedding stored
	// ended as success after 90000 ms
}

func ExampleClient_AllRemediations() {
	service := exampleService()
	defer service.Close()
	c, err := client.New(service.URL)
	if err != nil {
		log.Fatal(err)
	}
	failures := client.ListRemediationsParams{Namespace: "payments", Status: "failure", Since: "7d"}
	for remediation, err := range c.AllRemediations(context.Background(), failures) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(remediation.StartTime.Format(time.DateOnly), remediation.RemediationID, remediation.Name)
	}
	// Output:
	// 2026-03-03 rem-2026-0007 PodCrashLooping
	// 2026-03-01 rem-2026-0003 KubePersistentVolumeFillingUp
}

func ExampleClient_Search() {
	service := exampleService()
	defer service.Close()
	c, err := client.New(service.URL)
	if err != nil {
		log.Fatal(err)
	}
	found, err := c.Search(context.Background(), client.SearchInput{
		Query:   "container killed, out of memory",
		Filters: &client.SearchFilters{Environment: new("production,staging")},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, incident := range found.Data {
		best := incident.Actions[0]
		fmt.Printf("seen %d times; %s helped in %d of %d\n", incident.Occurrences, best.ActionType, best.Success, best.Success+best.Failure)
	}
	// Output:
	// seen 12 times; increase_memory_limit helped in 7 of 8
}

// The kind of an error determines what to do next; the problem details say how to correct the
// input.
func ExampleError() {
	service := exampleService()
	defer service.Close()
	c, err := client.New(service.URL)
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.CreateRemediation(context.Background(), client.RemediationInput{RemediationID: "bad"})

	refusal, refused := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		fmt.Println("stored")
	case errors.Is(err, client.ErrUnavailable):
		fmt.Println("try again later")
	case refused:
		for _, fieldError := range refusal.Problem.Errors {
			fmt.Printf("%s: %s\n", fieldError.Field, fieldError.Detail)
		}
	}
	// Output:
	// name: must not be empty
	// start_time: must not be before 1970
}

// A bearer token is fetched for each attempt, so that a renewed one is used. For IAM authorization,
// pass the method Sign of a sigv4.Signer.
func ExampleWithSigner() {
	service := exampleService()
	defer service.Close()
	token := func(context.Context) (string, error) { return "eyJhbGciOi", nil }

	c, err := client.New(service.URL, client.WithSigner(func(ctx context.Context, r *http.Request, _ []byte) error {
		current, err := token(ctx)
		if err != nil {
			return fmt.Errorf("fetch the token: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+current)
		return nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	health, err := c.Health(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(health.Status)
	// Output:
	// alive
}

// exampleService responds to a few requests with bodies of the contract.
func exampleService() *httptest.Server {
	bodies := map[string]string{
		"PATCH /v1/remediations/rem-2026-0001": `{"id":1,"remediation_id":"rem-2026-0001","status":"success","duration_ms":90000}`,
		"GET /health":                          `{"status":"alive"}`,
		"GET /v1/remediations": `{"data":[
			{"remediation_id":"rem-2026-0007","name":"PodCrashLooping","start_time":"2026-03-03T08:00:00Z"},
			{"remediation_id":"rem-2026-0003","name":"KubePersistentVolumeFillingUp","start_time":"2026-03-01T12:30:00Z"}],
			"pagination":{"limit":100,"has_more":false}}`,
		"POST /v1/search": `{"data":[{"signature_id":"5f0c1c4e-7b0a-8d5e-9c39-3f2a1b6d7e80","score":0.61,"occurrences":12,
			"actions":[{"action_type":"increase_memory_limit","success":7,"failure":1}]}],"search":{"mode":"semantic","model":"hash"}}`,
	}
	mux := http.NewServeMux()
	for pattern, body := range bodies {
		mux.HandleFunc(pattern, respondOK(body))
	}
	mux.HandleFunc("POST /v1/remediations", func(w http.ResponseWriter, r *http.Request) {
		var record client.RemediationInput
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &record); err != nil || record.Name == "" {
			respondProblem(400, `{"type":"about:blank","title":"Invalid input","status":400,"errors":[
				{"field":"name","code":"empty","detail":"must not be empty"},
				{"field":"start_time","code":"out_of_range","detail":"must not be before 1970"}]}`)(w, r)
			return
		}
		respondWith(201, "application/json", `{"id":1,"remediation_id":"rem-2026-0001","embedding":"stored"}`)(w, r)
	})
	return httptest.NewServer(mux)
}
