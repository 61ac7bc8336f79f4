// Package secretstest is a server in the place of AWS Secrets Manager, for tests that count its
// reads or make them fail. It serves one secret, by the wire format of GetSecretValue.
package secretstest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// ID is the name of the secret.
const ID = "embedding/key"

// Server serves the secret.
type Server struct {
	// URL is the endpoint of the service, for AWS_ENDPOINT_URL_SECRETS_MANAGER.
	URL string

	mu     sync.Mutex
	stages map[string]string
	reads  map[string]int
	fail   http.HandlerFunc
	gate   chan struct{}
}

// New starts a server whose secret has this text.
func New(tb testing.TB, text string) *Server {
	tb.Helper()
	s := &Server{stages: map[string]string{"AWSCURRENT": text}, reads: map[string]int{}}
	server := httptest.NewServer(s)
	tb.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Config is a configuration of the AWS SDK that leads to the server.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region: "eu-central-1", BaseEndpoint: &s.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}, nil
		}),
	}
}

// Put sets the text of the version with a stage, such as AWSPENDING.
func (s *Server) Put(stage, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stages[stage] = text
}

// FailWith makes the server respond with this failure from now on; nil ends it.
func (s *Server) FailWith(fail http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// Hold delays responses until release is called.
func (s *Server) Hold() (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gate = nil
		close(gate)
	})
}

// Reads returns the number of requests for a stage so far.
func (s *Server) Reads(stage string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads[stage]
}

// ServeHTTP serves GetSecretValue (AWS Secrets Manager API Reference, "GetSecretValue"; protocol
// AWS JSON 1.1).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct{ SecretId, VersionStage string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		Refuse("InvalidRequestException", "not a GetSecretValue request")(w, r)
		return
	}
	s.mu.Lock()
	s.reads[asked.VersionStage]++
	text, exists := s.stages[asked.VersionStage]
	fail, gate := s.fail, s.gate
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	switch {
	case fail != nil:
		fail(w, r)
	case asked.SecretId != ID || !exists:
		Refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")(w, r)
	default:
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(map[string]string{"Name": ID, "SecretString": text})
	}
}

// Refuse responds with a client error of the service, such as AccessDeniedException.
func Refuse(code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
	}
}
