package gateway

import (
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// Authorizer returns the identity of requests to the local stack, as a JWT authorizer passes it to
// a function: subject "local" with the scopes to read and to write.
func Authorizer() *events.APIGatewayV2HTTPRequestContextAuthorizerDescription {
	scopes := []string{"datastorage/read", "datastorage/write"}
	return &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{
			Claims: map[string]string{"sub": "local", "scope": strings.Join(scopes, " ")},
			Scopes: scopes,
		},
	}
}

// newRequestEvent returns the event of payload format 2.0 for a request whose body was read (API
// Gateway guide, "Create AWS Lambda proxy integrations for HTTP APIs").
func newRequestEvent(r *http.Request, body []byte, id string, matched route, variables map[string]string) events.APIGatewayV2HTTPRequest {
	now := time.Now()
	event := events.APIGatewayV2HTTPRequest{
		Version:  "2.0",
		RouteKey: matched.routeKey(),
		// HTTP APIs pass the decoded path, REST APIs do not.
		RawPath:               r.URL.Path,
		RawQueryString:        r.URL.RawQuery,
		Cookies:               splitCookies(r.Header),
		Headers:               eventHeaders(r),
		QueryStringParameters: queryParameters(r.URL.RawQuery),
		PathParameters:        variables,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey:     matched.routeKey(),
			AccountID:    accountID,
			Stage:        "$default",
			RequestID:    id,
			APIID:        "local",
			DomainName:   hostWithoutPort(r.Host),
			DomainPrefix: "local",
			Time:         now.UTC().Format("02/Jan/2006:15:04:05 -0700"),
			TimeEpoch:    now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method:    r.Method,
				Path:      r.URL.Path,
				Protocol:  r.Proto,
				SourceIP:  hostWithoutPort(r.RemoteAddr),
				UserAgent: r.UserAgent(),
			},
		},
	}
	event.Body, event.IsBase64Encoded = encodeEventBody(r.Header.Get("Content-Type"), body)
	return event
}

// splitCookies returns the cookies of all Cookie headers.
func splitCookies(header http.Header) []string {
	var all []string
	for _, line := range header.Values("Cookie") {
		for part := range strings.SplitSeq(line, ";") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// eventHeaders returns the headers without cookies and with those that the gateway adds: names in
// lower case, repeated values joined by commas.
func eventHeaders(r *http.Request) map[string]string {
	all := map[string]string{}
	for name, values := range r.Header {
		if name != "Cookie" {
			all[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	all["host"] = r.Host
	all["content-length"] = strconv.FormatInt(max(r.ContentLength, 0), 10)
	all["x-forwarded-for"] = hostWithoutPort(r.RemoteAddr)
	all["x-forwarded-proto"] = "http"
	return all
}

// queryParameters returns the decoded parameters of a query, repeated values joined by commas, or
// nil if there are none. Undecodable parts stay unchanged, so that the function can reject them.
func queryParameters(query string) map[string]string {
	var all map[string]string
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescapeQueryPart(name), unescapeQueryPart(value)
		if before, repeated := all[name]; repeated {
			value = before + "," + value
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = value
	}
	return all
}

func unescapeQueryPart(value string) string {
	decoded, err := url.QueryUnescape(value)
	if err != nil {
		return value
	}
	return decoded
}

// hostWithoutPort returns the host of an address.
func hostWithoutPort(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// encodeEventBody returns a body in the form of an event: unchanged for text/*, JSON, XML and
// JavaScript, in base64 for any other or a missing content type, and for bytes that are not UTF-8,
// which JSON cannot contain. The guide does not list the types; pull request 766 of
// ministackorg/ministack observed them on the service.
func encodeEventBody(contentType string, body []byte) (value string, encoded bool) {
	if len(body) == 0 {
		return "", false
	}
	media, _, _ := mime.ParseMediaType(contentType)
	switch {
	case !utf8.Valid(body):
	case strings.HasPrefix(media, "text/"),
		media == "application/json", media == "application/xml", media == "application/javascript":
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}
