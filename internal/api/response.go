package api

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
)

// maxResponse is the largest body of a response, in bytes: Lambda's limit of 6 MB for a payload,
// less the envelope around the body.
const maxResponse = 5_500_000

// Response is an API Gateway response before encoding.
type Response struct {
	Status  int
	Body    any
	Headers map[string]string

	contentType string
}

// NewResponse returns a JSON response.
func NewResponse(status int, body any) *Response {
	return &Response{Status: status, Body: body, contentType: "application/json"}
}

func (r *Response) setHeader(name, value string) *Response {
	if r.Headers == nil {
		r.Headers = map[string]string{}
	}
	r.Headers[name] = value
	return r
}

// gatewayResponse encodes the response for API Gateway. encoding/json escapes <, > and &, so that a
// body is harmless even if a browser interprets it as HTML.
func (r *Response) gatewayResponse(request *Request) events.APIGatewayV2HTTPResponse {
	body, err := json.Marshal(r.Body)
	if err == nil && len(body) > maxResponse {
		err = errResponseTooLarge
	}
	if err != nil {
		r = problemResponse(request, err)
		body, _ = json.Marshal(r.Body) // never fails: a problem consists of strings and numbers
	}
	headers := map[string]string{
		"Content-Type":           r.contentType,
		"X-Content-Type-Options": "nosniff",
		"Cache-Control":          "no-store",
	}
	for name, value := range r.Headers {
		headers[http.CanonicalHeaderKey(name)] = value
	}
	response := events.APIGatewayV2HTTPResponse{StatusCode: r.Status, Headers: headers, Body: string(body)}
	if len(body) > minCompressed {
		headers["Vary"] = "Accept-Encoding"
		if acceptsGzip(request.headerValue("Accept-Encoding")) {
			compressResponse(&response, body)
		}
	}
	return response
}

// compressResponse replaces the body by its gzip stream in base64, which is how Lambda returns bytes,
// if that is shorter.
func compressResponse(response *events.APIGatewayV2HTTPResponse, body []byte) {
	encoded := base64.StdEncoding.EncodeToString(compress(body))
	if len(encoded) < len(body) {
		response.Headers["Content-Encoding"] = "gzip"
		response.Body, response.IsBase64Encoded = encoded, true
	}
}
