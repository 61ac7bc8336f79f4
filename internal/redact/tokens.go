package redact

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// tokenShape describes credentials with a prefix that identifies their issuer.
type tokenShape struct {
	prefixes  []string
	body      func(byte) bool         // the characters after the prefix
	minLength int                     // of the body, in bytes
	exact     bool                    // the body has exactly minLength bytes
	mixed     bool                    // the body has a digit and an upper-case letter; ordinary words share the prefix
	verify    func(token string) bool // an additional check, or nil
	action    Action
}

// tokenShapes follows the issuers' documentation, in this order: AWS, Google, GitHub, GitLab,
// Slack, Stripe and Square, package registries, e-mail and telephony, model providers, HashiCorp
// Vault, hosting and databases, observability, age, OpenShift.
var tokenShapes = groupByFirstByte([]tokenShape{
	{prefixes: []string{"AKIA", "ASIA", "ABIA"}, body: isUpperAlnumByte, minLength: 16, exact: true, action: ActionAWSKey},
	{prefixes: []string{"AIza"}, body: ascii.IsWord, minLength: 35, exact: true, action: ActionToken},
	{prefixes: []string{"ya29."}, body: ascii.IsDottedWord, minLength: 16, action: ActionToken},
	{prefixes: []string{"GOCSPX-"}, body: ascii.IsWord, minLength: 20, action: ActionToken},
	{prefixes: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, body: ascii.IsWord, minLength: 20, action: ActionToken},
	{prefixes: []string{"glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-"}, body: ascii.IsDottedWord, minLength: 20, action: ActionToken},
	{prefixes: []string{"xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxp-", "xoxr-", "xoxs-", "xapp-"}, body: ascii.IsDottedWord, minLength: 16, action: ActionToken},
	{prefixes: []string{"sk_live_", "sk_test_", "rk_live_", "rk_test_"}, body: ascii.IsWord, minLength: 16, action: ActionToken},
	{prefixes: []string{"whsec_"}, body: isBase64Byte, minLength: 20, action: ActionToken},
	{prefixes: []string{"sq0atp-", "sq0csp-"}, body: ascii.IsWord, minLength: 20, action: ActionToken},
	{prefixes: []string{"npm_"}, body: ascii.IsAlnum, minLength: 30, action: ActionToken},
	{prefixes: []string{"pypi-AgE"}, body: ascii.IsWord, minLength: 16, action: ActionToken},
	{prefixes: []string{"dckr_pat_"}, body: ascii.IsWord, minLength: 20, action: ActionToken},
	{prefixes: []string{"SG."}, body: ascii.IsDottedWord, minLength: 40, mixed: true, action: ActionToken},
	{prefixes: []string{"SK"}, body: ascii.IsHex, minLength: 32, exact: true, action: ActionToken},
	{prefixes: []string{"sk-ant-", "sk-proj-", "sk-or-v1-"}, body: ascii.IsWord, minLength: 20, action: ActionToken},
	{prefixes: []string{"sk-"}, body: ascii.IsWord, minLength: 20, mixed: true, action: ActionToken},
	{prefixes: []string{"hf_"}, body: ascii.IsAlnum, minLength: 30, mixed: true, action: ActionToken},
	{prefixes: []string{"hvs.", "hvb.", "hvr."}, body: ascii.IsWord, minLength: 20, action: ActionToken},
	{prefixes: []string{"dop_v1_", "doo_v1_", "dor_v1_", "sbp_"}, body: ascii.IsHex, minLength: 40, action: ActionToken},
	{prefixes: []string{"dapi", "shpat_", "shpss_", "shpca_"}, body: ascii.IsHex, minLength: 32, action: ActionToken},
	{prefixes: []string{"pscale_pw_", "pscale_tkn_", "pscale_oauth_"}, body: ascii.IsDottedWord, minLength: 20, action: ActionToken},
	{prefixes: []string{"dp.pt.", "lin_api_", "ATATT3x"}, body: isBase64Byte, minLength: 30, action: ActionToken},
	{prefixes: []string{"glsa_", "glc_"}, body: isBase64Byte, minLength: 30, action: ActionToken},
	{prefixes: []string{"NRAK-"}, body: isUpperAlnumByte, minLength: 20, action: ActionToken},
	{prefixes: []string{"AGE-SECRET-KEY-1"}, body: isUpperAlnumByte, minLength: 40, action: ActionPrivateKey},
	{prefixes: []string{"sha256~"}, body: ascii.IsWord, minLength: 40, action: ActionToken},
	{prefixes: []string{"eyJ"}, body: ascii.IsDottedWord, minLength: 16, verify: isJWT, action: ActionToken},
	{prefixes: []string{"LS0tLS1CRUdJTi"}, body: isBase64Byte, minLength: 20, verify: isEncodedPrivateKey, action: ActionPrivateKey},
})

func isUpperAlnumByte(c byte) bool { return ascii.IsUpper(c) || ascii.IsDigit(c) }

// groupByFirstByte indexes the shapes by the first byte of each prefix, so that a scan tries only
// those that can match.
func groupByFirstByte(shapes []tokenShape) (groups [256][]tokenShape) {
	for _, shape := range shapes {
		for _, prefix := range shape.prefixes {
			one := shape
			one.prefixes = []string{prefix}
			groups[prefix[0]] = append(groups[prefix[0]], one)
		}
	}
	return groups
}

// shortestToken is the minimum length of a credential that is recognized by its shape.
var shortestToken = func() int {
	minLength := math.MaxInt
	for _, shapes := range tokenShapes {
		for _, shape := range shapes {
			minLength = min(minLength, len(shape.prefixes[0])+shape.minLength)
		}
	}
	return minLength
}()

// findTokens finds credentials that are recognized by their shape, wherever they are.
func findTokens(s string, found []span) []span {
	failed := map[string]int{} // the end of each prefix's last rejected candidate, which is not scanned for it again
	for i := 0; i < len(s); {
		if !ascii.IsAlnum(s[i]) {
			i++
			continue
		}
		if end, action := tokenAt(s, i, failed); action != "" {
			found = append(found, span{i, end, action})
			i = end
			continue
		}
		i += ascii.PrefixLen(s[i:], ascii.IsAlnum)
	}
	return found
}

// tokenAt returns the end and the action of the credential that starts at i. The action is "" if
// there is none.
func tokenAt(s string, i int, failed map[string]int) (int, Action) {
	for _, shape := range tokenShapes[s[i]] {
		prefix := shape.prefixes[0]
		if !strings.HasPrefix(s[i:], prefix) || i < failed[prefix] {
			continue
		}
		start := i + len(prefix)
		end := start + ascii.PrefixLen(s[start:], shape.body)
		body := strings.TrimRight(s[start:end], ".-")
		if stop := start + len(body); shape.matchesShape(body, s[i:stop]) {
			return stop, shape.action
		}
		failed[prefix] = end
	}
	return i, ""
}

func (shape tokenShape) matchesShape(body, token string) bool {
	return len(body) >= shape.minLength && (!shape.exact || len(body) == shape.minLength) && (!shape.mixed || hasDigitAndUpper(body)) &&
		(shape.verify == nil || shape.verify(token))
}

func hasDigitAndUpper(s string) bool {
	return strings.ContainsAny(s, "0123456789") && strings.ContainsAny(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

// isJWT reports whether s is a JSON Web Token (RFC 7519), even if truncated: base64url parts joined
// by dots, the first of which decodes to a JSON object with alg.
func isJWT(s string) bool {
	header, rest, parts := strings.Cut(s, ".")
	if !parts || rest == "" {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return false
	}
	var fields struct {
		Alg *string `json:"alg"`
	}
	return json.Unmarshal(text, &fields) == nil && fields.Alg != nil
}

// isEncodedPrivateKey reports whether s is the base64 form of a PEM private key, as in
// client-key-data of a kubeconfig. Certificates begin with the same characters but do not match.
func isEncodedPrivateKey(s string) bool {
	const armour = 48 // base64 of the first 36 bytes, which include the type of key
	text, err := base64.StdEncoding.DecodeString(s[:min(armour, len(s)&^3)])
	return err == nil && strings.Contains(string(text), "PRIVATE KEY")
}
