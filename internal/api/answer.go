package api

import (
	"encoding/json"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
)

// maxAnswer is the largest answer, in bytes: Lambda's limit of 6 MB for a payload, less what the envelope around it takes.
const maxAnswer = 5_500_000

// Response is what goes back.
type Response struct {
	Status  int
	Body    any
	Headers map[string]string

	contentType string
}

// NewAnswer is an answer in JSON.
func NewAnswer(status int, body any) *Response {
	return &Response{Status: status, Body: body, contentType: "application/json"}
}

func (a *Response) header(name, value string) *Response {
	if a.Headers == nil {
		a.Headers = map[string]string{}
	}
	a.Headers[name] = value
	return a
}

// event writes the answer for the gateway. encoding/json escapes <, > and &, so a body is harmless even where it is taken for HTML.
func (a *Response) event(r *Request) events.APIGatewayV2HTTPResponse {
	body, err := json.Marshal(a.Body)
	if err == nil && len(body) > maxAnswer {
		err = errAnswerTooLarge
	}
	if err != nil {
		a = problemAnswer(r, err)
		body, _ = json.Marshal(a.Body) // a problem is strings and numbers
	}
	headers := map[string]string{
		"Content-Type":           a.contentType,
		"X-Content-Type-Options": "nosniff",
		"Cache-Control":          "no-store",
	}
	for name, value := range a.Headers {
		headers[http.CanonicalHeaderKey(name)] = value
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: a.Status, Headers: headers, Body: string(body)}
}
