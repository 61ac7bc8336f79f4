package sigv4test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// lifetime is that of issued keys.
const lifetime = time.Hour

// STS responds to AssumeRole, signed by a key of the account, and to AssumeRoleWithWebIdentity with the token. The holder of
// an issued key is the ARN of its role. The SDK finds it by AWS_ENDPOINT_URL_STS. Its protocol:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (2026-11-28).
func (a *Account) STS(webToken string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		action := form.Get("Action")
		allowed := action == "AssumeRole" && a.accepts(r, body, "", "sts") ||
			action == "AssumeRoleWithWebIdentity" && form.Get("WebIdentityToken") == webToken
		w.Header().Set("Content-Type", "text/xml")
		if !allowed {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>`+
				`<Code>AccessDenied</Code><Message>not authorized to perform this</Message></Error></ErrorResponse>`)
			return
		}
		_, _ = w.Write(assumeRoleResponse(action, a.CreateTemporaryKey(form.Get("RoleArn"))))
	})
}

func assumeRoleResponse(action string, key Key) []byte {
	var text bytes.Buffer
	for _, field := range [][2]string{
		{"AccessKeyId", key.ID},
		{"SecretAccessKey", key.Secret},
		{"SessionToken", key.Token},
		{"Expiration", time.Now().Add(lifetime).UTC().Format(time.RFC3339)},
	} {
		text.WriteString("<" + field[0] + ">")
		_ = xml.EscapeText(&text, []byte(field[1])) // a buffer does not fail
		text.WriteString("</" + field[0] + ">")
	}
	return []byte(`<` + action + `Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><` + action + `Result><Credentials>` +
		text.String() + `</Credentials></` + action + `Result></` + action + `Response>`)
}

// SSO is the portal of IAM Identity Center: it exchanges the access token of a session for a key whose holder is
// sso/ACCOUNT/ROLE. The SDK finds it by AWS_ENDPOINT_URL_SSO. Its protocol:
// https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html (2026-11-28).
func (a *Account) SSO(accessToken string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/federation/credentials" || r.Header.Get("X-Amz-Sso_bearer_token") != accessToken {
			w.Header().Set("X-Amzn-Errortype", "UnauthorizedException")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"message":"Session token not found or invalid"}`)
			return
		}
		query := r.URL.Query()
		key := a.CreateTemporaryKey(strings.Join([]string{"sso", query.Get("account_id"), query.Get("role_name")}, "/"))
		_ = json.NewEncoder(w).Encode(map[string]any{"roleCredentials": map[string]any{
			"accessKeyId": key.ID, "secretAccessKey": key.Secret, "sessionToken": key.Token,
			"expiration": time.Now().Add(lifetime).UnixMilli(),
		}})
	})
}
