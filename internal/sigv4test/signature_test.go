package sigv4test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// published are signatures that AWS has published: the example of "Create a signed AWS API request", and requests of the
// Signature Version 4 test suite (https://github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4).
var published = []struct {
	name, method, host, target string
	contentType, body, token   string
	service, headers, value    string
}{
	{
		name: "ListUsers of the documentation", method: "GET", host: "iam.amazonaws.com", target: "/?Action=ListUsers&Version=2010-05-08",
		contentType: "application/x-www-form-urlencoded; charset=utf-8", service: "iam", headers: "content-type;host;x-amz-date",
		value: "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
	},
	{name: "get-vanilla", target: "/", value: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{
		name: "get-vanilla-query-order-key-case", target: "/?Param2=value2&Param1=value1",
		value: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
	},
	{
		name: "get-vanilla-utf8-query", target: "/?%E1%88%B4=bar",
		value: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
	},
	{
		name: "get-unreserved", target: "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
		value: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
	},
	{
		name: "get-space-unnormalized", target: "/example space/",
		value: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
	},
	{name: "get-utf8", target: "/ሴ", value: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{
		name: "post-x-www-form-urlencoded", method: "POST", target: "/", contentType: "application/x-www-form-urlencoded",
		body: "Param1=value1", headers: "content-type;host;x-amz-date",
		value: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
	},
	{
		name: "post-sts-header-before", method: "POST", target: "/", headers: "host;x-amz-date;x-amz-security-token",
		token: "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/" +
			"qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0i" +
			"PPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
		value: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
	},
}

// TestPublishedSignatures checks the verifier itself.
func TestPublishedSignatures(t *testing.T) {
	t.Parallel()
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	for _, example := range published {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(cmp.Or(example.method, "GET"), "/", strings.NewReader(example.body))
			r.RequestURI, r.Host = example.target, cmp.Or(example.host, "example.amazonaws.com")
			r.Header = http.Header{"X-Amz-Date": {at.Format(timeFormat)}}
			if example.contentType != "" {
				r.Header.Set("Content-Type", example.contentType)
			}
			if example.token != "" {
				r.Header.Set("X-Amz-Security-Token", example.token)
			}
			key := Key{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Token: example.token}
			signed, err := parseAuthorization("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/" + cmp.Or(example.service, "service") +
				"/aws4_request, SignedHeaders=" + cmp.Or(example.headers, "host;x-amz-date") + ", Signature=" + example.value)
			if err != nil {
				t.Fatal(err)
			}
			if err := signed.verify(r, []byte(example.body), key, at); err != nil {
				t.Error(err)
			}
			refused := map[string]error{
				"another body":   signed.verify(r, []byte(example.body+" "), key, at),
				"another secret": signed.verify(r, []byte(example.body), Key{Secret: "x", Token: key.Token}, at),
				"another token":  signed.verify(r, []byte(example.body), Key{Secret: key.Secret, Token: key.Token + "x"}, at),
				"too late":       signed.verify(r, []byte(example.body), key, at.Add(maxClockSkew+time.Second)),
				"too early":      signed.verify(r, []byte(example.body), key, at.Add(-maxClockSkew-time.Second)),
			}
			r.Header.Set("X-Amz-Meta", "unsigned")
			refused["an unsigned header"] = signed.verify(r, []byte(example.body), key, at)
			for change, err := range refused {
				if err == nil {
					t.Errorf("%s was accepted", change)
				}
			}
		})
	}
}

func TestAmbiguousTargets(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/a//b", "/a/../b", "/a/./b", "/a?b=c+d", "/a?b=%zz"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RequestURI = target
		if canonical, err := (signature{headers: []string{"host"}}).canonicalRequest(r, nil); err == nil {
			t.Errorf("%s became\n%s", target, canonical)
		}
	}
}
