package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/gateway"
	"github.com/datastorage-service/datastorage/internal/redact"
)

// An incident is one combination of alert, action, service and failure; each has its own signature.
type incident struct{ alert, action, service, failure string }

func sampleIncident(k int) incident {
	alerts := []string{
		"KubePodCrashLooping", "KubeDeploymentReplicasMismatch", "HighErrorRate", "PersistentVolumeFillingUp", "NodeMemoryPressure",
	}
	actions := []string{"restart_pod", "rollback_deployment", "scale_up", "expand_volume", "drain_node"}
	services := []string{
		"checkout", "payment", "inventory", "search", "identity", "gateway", "ledger", "shipping", "notification", "catalogue",
		"pricing", "reporting",
	}
	failures := []string{
		"connection refused", "deadline exceeded", "certificate has expired", "out of memory", "no space left on device",
		"too many open files", "unknown host", "permission denied", "checksum mismatch", "leader election lost",
		"schema version conflict", "queue is full", "image pull backoff", "liveness probe failed", "disk quota exceeded",
		"authentication rejected",
	}
	part, rest := k%5, k/5
	return incident{
		alert:   alerts[part],
		action:  actions[part],
		service: services[rest%12] + "-" + dependencyName(rest/12/16),
		failure: failures[rest/12%16],
	}
}

// dependencyName returns one of 240 names.
func dependencyName(k int) string {
	kinds := []string{"kafka", "redis", "postgres", "rabbitmq", "elasticsearch", "consul", "vault", "nginx", "envoy", "minio"}
	parts := []string{"primary", "replica", "proxy", "worker", "exporter", "operator"}
	tiers := []string{"", "-blue", "-canary", "-legacy"}
	return kinds[k%10] + "-" + parts[k/10%6] + tiers[k/60%4]
}

// errorText returns the remediation's error; numbers, hosts and pods vary without changing the incident.
func (i incident) errorText() string {
	return fmt.Sprintf("%s: %s while %s was talking to 10.12.4.7:9092 (attempt 5 of 5, after 30s)\n"+
		"back-off restarting failed container %s in pod %s-7d9c5b8f6d-x2k4j: exit code 137", i.alert, i.failure, i.service, i.service, i.service)
}

func (i incident) workflowText() string {
	return fmt.Sprintf("apiVersion: v1\nkind: Workflow\nsteps:\n- name: collect logs\n  run: kubectl logs deploy/%s --previous\n"+
		"- name: %s\n  run: kubectl rollout restart deploy/%s\n- name: verify\n  run: kubectl rollout status deploy/%s --timeout=120s\n",
		i.service, i.action, i.service, i.service)
}

const sampleMetadata = `{"attempt": 1, "cpu": 0.75, "labels": ["team:platform", "tier:1"], "replicas": {"after": 5, "before": 3},
	"runbook": "https://runbooks.example.com/KubePodCrashLooping"}`

// remediationInput returns a remediation of incident k as a caller sends it, about 1.4 kB.
func remediationInput(id string, k int) client.RemediationInput {
	i := sampleIncident(k)
	start := time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)
	return client.RemediationInput{
		RemediationID: id, Name: i.alert, Namespace: fmt.Sprintf("team-%d", k%50), ClusterName: new("eu-central-1-a"),
		Environment: new(client.EnvironmentProduction), Severity: new(client.SeverityHigh),
		AlertFingerprint: new(fmt.Sprintf("%016x", k)), ActionType: i.action, TargetResource: new("deployment/" + i.service),
		Phase: client.PhaseCompleted, Status: client.StatusSuccess, StartTime: start, EndTime: new(start.Add(time.Minute)),
		ErrorMessage: new(i.errorText()), WorkflowYAML: new(i.workflowText()), Metadata: json.RawMessage(sampleMetadata),
	}
}

// newGatewayEvent returns the event that API Gateway sends to the function for a request.
func newGatewayEvent(route, path, query, body string) ([]byte, error) {
	method, _, _ := strings.Cut(route, " ")
	return json.Marshal(events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: route, RawPath: path, RawQueryString: query, Body: body,
		Headers: map[string]string{
			"content-type": "application/json", "accept": "application/json", "host": "api.example.com",
			"user-agent": "datastorage-client", "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https",
			"authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJsb2NhbCJ9.c2lnbmF0dXJl",
		},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: route, AccountID: "123456789012", Stage: "$default", RequestID: "JKJaXmPLvHcESHA=", APIID: "api",
			DomainName: "api.example.com", TimeEpoch: time.Now().UnixMilli(), Authorizer: gateway.Authorizer(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, Path: path},
		},
	})
}

// newPostEvent returns the event of a POST with a JSON body.
func newPostEvent(path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return newGatewayEvent("POST "+path, path, "", string(text))
}

// eventPattern is an event with a gap for the remediation's id.
type eventPattern struct{ before, after []byte }

// idGap stands for the remediation's id until it is known.
const idGap = "REMEDIATION-ID"

func cutAtGap(whole []byte) eventPattern {
	before, after, _ := bytes.Cut(whole, []byte(idGap))
	return eventPattern{before, after}
}

func newEventPattern(k int) (eventPattern, error) {
	whole, err := newPostEvent("/v1/remediations", remediationInput(idGap, k))
	return cutAtGap(whole), err
}

// newEventPatterns returns the patterns of the recurring incidents.
func newEventPatterns() (all []eventPattern, err error) {
	for k := range recurring {
		p, err := newEventPattern(k)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func (p eventPattern) eventWithID(id string) []byte {
	whole := make([]byte, 0, len(p.before)+len(id)+len(p.after))
	return append(append(append(whole, p.before...), id...), p.after...)
}

// newBatchEvent returns the event of a batch of records with the given numbers; incidentOf maps each to its incident.
func newBatchEvent(prefix string, first, count int, incidentOf func(int) int) ([]byte, error) {
	records := make([]client.RemediationInput, count)
	for i := range records {
		records[i] = remediationInput(fmt.Sprintf("%s-%d", prefix, first+i), incidentOf(first+i))
	}
	return newPostEvent("/v1/remediations/batch", client.BatchInput{Records: records})
}

// newQueueEvent returns the event that Lambda sends for ten messages, each an array of a tenth of the records.
func newQueueEvent(prefix string, first, count int, incidentOf func(int) int) ([]byte, error) {
	type item struct {
		Kind   string                  `json:"kind"`
		Record client.RemediationInput `json:"record"`
	}
	items := make([]item, count)
	for i := range items {
		items[i] = item{"remediation", remediationInput(fmt.Sprintf("%s-%d", prefix, first+i), incidentOf(first+i))}
	}
	var event events.SQSEvent
	for part := range slices.Chunk(items, count/10) {
		body, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: fmt.Sprint("message-", len(event.Records)), Body: string(body), EventSource: "aws:sqs",
			EventSourceARN: "arn:aws:sqs:eu-west-1:123456789012:records", Attributes: map[string]string{"SenderId": "AROAEXAMPLE:bench"},
		})
	}
	return json.Marshal(event)
}

// newJournalEntries returns the journal entries that the write function makes of the records.
func newJournalEntries(prefix string, first, count int, incidentOf func(int) int) ([]audit.Entry, error) {
	made := make([]audit.Entry, count)
	for i := range made {
		remediation, err := newRemediation(fmt.Sprintf("%s-%d", prefix, first+i), incidentOf(first+i))
		if err != nil {
			return nil, err
		}
		if made[i], err = audit.NewEntry(remediation, "bench", time.Now()); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// newRemediation returns the remediation as the domain has it, checked.
func newRemediation(id string, k int) (*audit.Remediation, error) {
	in := remediationInput(id, k)
	tree, errs := audit.ParseJSON(in.Metadata, audit.JSONLimits{Bytes: audit.MaxMetadata, Depth: audit.MaxMetadataDepth}, redact.Actions{})
	metadata, _ := tree.(map[string]any)
	out := &audit.Remediation{
		RemediationID: in.RemediationID, Name: in.Name, Namespace: in.Namespace, ClusterName: in.ClusterName,
		Environment: (*audit.Environment)(in.Environment), Severity: audit.Severity(*in.Severity),
		AlertFingerprint: in.AlertFingerprint, ActionType: in.ActionType, TargetResource: in.TargetResource,
		Phase: audit.Phase(in.Phase), Status: audit.Status(in.Status), StartTime: in.StartTime, EndTime: in.EndTime,
		ErrorMessage: in.ErrorMessage, WorkflowYAML: in.WorkflowYAML,
	}
	out.Check(audit.Checker{Errors: &errs, Actions: redact.Actions{}}, metadata)
	return out, errs.Err()
}
