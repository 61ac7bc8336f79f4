package sigv4test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	// maxClockSkew is how far the time of a signature may be off ("Elements of an AWS API request
	// signature": a request must arrive within five minutes of its time stamp).
	maxClockSkew = 5 * time.Minute
)

// signature is an Authorization header: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
// (2026-11-28).
type signature struct {
	keyID, date, region, service string
	headers                      []string
	value                        string
}

func parseAuthorization(header string) (signature, error) {
	fields := map[string]string{}
	parts, found := strings.CutPrefix(header, algorithm+" ")
	for part := range strings.SplitSeq(parts, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if !found || len(scope) != 5 || scope[4] != "aws4_request" || slices.Contains(scope, "") || len(fields) != 3 {
		return signature{}, fmt.Errorf("not an Authorization header of Signature Version 4: %q", header)
	}
	return signature{
		keyID: scope[0], date: scope[1], region: scope[2], service: scope[3],
		headers: strings.Split(fields["SignedHeaders"], ";"), value: fields["Signature"],
	}, nil
}

// verify checks a request that a server received, as "Create a signed AWS API request" describes
// signing: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// (2026-11-28).
func (s signature) verify(r *http.Request, body []byte, key Key, now time.Time) error {
	stamp := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(timeFormat, stamp)
	if err != nil || !strings.HasPrefix(stamp, s.date) {
		return fmt.Errorf("the time %q is not one of %s", stamp, s.date)
	}
	if skew := now.Sub(at).Abs(); skew > maxClockSkew {
		return fmt.Errorf("the signature is %v old", skew)
	}
	if r.Header.Get("X-Amz-Security-Token") != key.Token {
		return errors.New("another session token than that of the key")
	}
	if err := s.checkSignedHeaders(r); err != nil {
		return err
	}
	canonical, err := s.canonicalRequest(r, body)
	if err != nil {
		return err
	}
	if want := s.compute(key.Secret, stamp, canonical); s.value != want {
		return fmt.Errorf("signature %s, want %s for the canonical request\n%s", s.value, want, canonical)
	}
	return nil
}

// checkSignedHeaders checks that the signature covers what it must: Host, Content-Type and X-Amz-….
func (s signature) checkSignedHeaders(r *http.Request) error {
	if !slices.IsSorted(s.headers) || !slices.Contains(s.headers, "host") {
		return fmt.Errorf("signed headers %v are not sorted or lack host", s.headers)
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if (name == "content-type" || strings.HasPrefix(name, "x-amz-")) && !slices.Contains(s.headers, name) {
			return fmt.Errorf("the header %s is not signed", name)
		}
	}
	return nil
}

func (s signature) canonicalRequest(r *http.Request, body []byte) (string, error) {
	// A request that no server has read has no RequestURI.
	path, query, _ := strings.Cut(cmp.Or(r.RequestURI, r.URL.RequestURI()), "?")
	canonicalPath, err := canonicalizePath(path)
	if err != nil {
		return "", err
	}
	canonicalQuery, err := canonicalizeQuery(query)
	if err != nil {
		return "", err
	}
	var headers strings.Builder
	for _, name := range s.headers {
		headers.WriteString(name + ":" + canonicalHeaderValue(r, name) + "\n")
	}
	return strings.Join([]string{
		r.Method, canonicalPath, canonicalQuery, headers.String(), strings.Join(s.headers, ";"), hashHex(body),
	}, "\n"), nil
}

// canonicalizePath encodes each segment of a path as sent once more: every service but Amazon S3 does. API Gateway does
// not decode %2F first, as seen by the authors of https://github.com/aws/aws-sdk-net/pull/4473 (2026-07).
func canonicalizePath(path string) (string, error) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if segment == "." || segment == ".." || segment == "" && i > 0 && i < len(segments)-1 {
			return "", fmt.Errorf("the path %q is not normalized", path)
		}
		segments[i] = uriEncode(segment)
	}
	return strings.Join(segments, "/"), nil
}

// canonicalizeQuery decodes and encodes each parameter, and sorts them by name and then by value, encoded.
func canonicalizeQuery(query string) (string, error) {
	if strings.Contains(query, "+") {
		return "", fmt.Errorf("the query %q has a + that is a space or a plus sign", query)
	}
	var pairs [][2]string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.PathUnescape(name)
		value, valueErr := url.PathUnescape(value)
		if err := errors.Join(nameErr, valueErr); err != nil {
			return "", err
		}
		if pair != "" {
			pairs = append(pairs, [2]string{uriEncode(name), uriEncode(value)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	encoded := make([]string, len(pairs))
	for i, pair := range pairs {
		encoded[i] = pair[0] + "=" + pair[1]
	}
	return strings.Join(encoded, "&"), nil
}

// canonicalHeaderValue joins the values of a header by commas, without spaces around and repeated spaces in them.
func canonicalHeaderValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	var values []string
	for _, value := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.FieldsFunc(value, func(c rune) bool { return c == ' ' }), " "))
	}
	return strings.Join(values, ",")
}

// uriEncode is UriEncode of the documentation: every byte but A-Z a-z 0-9 - . _ ~ as %XX.
func uriEncode(text string) string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	var encoded strings.Builder
	for _, b := range []byte(text) {
		if strings.IndexByte(unreserved, b) >= 0 {
			encoded.WriteByte(b)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", b)
		}
	}
	return encoded.String()
}

func (s signature) compute(secret, stamp, canonical string) string {
	scope := strings.Join([]string{s.date, s.region, s.service, "aws4_request"}, "/")
	toSign := strings.Join([]string{algorithm, stamp, scope, hashHex([]byte(canonical))}, "\n")
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = authenticate(key, part)
	}
	return hex.EncodeToString(authenticate(key, toSign))
}

func authenticate(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hashHex(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
