package redact

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// issuer describes the credentials of one issuer by their form.
type issuer struct {
	name      string
	prefixes  string          // separated by spaces
	body      func(byte) bool // the characters after the prefix
	minLength int             // of the body, in bytes
	maxLength int             // of the body; 0 is any
	check     func(token string) bool
	source    string // of the format
}

const (
	awsKeys   = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"
	scanning  = "https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns"
	gitlab    = "https://docs.gitlab.com/security/tokens/#token-prefixes"
	shopify   = "https://shopify.dev/docs/apps/build/authentication-authorization"
	doppler   = "https://docs.doppler.com/reference/auth-token-formats"
	newRelic  = "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/"
	ocean     = "https://docs.digitalocean.com/reference/api/create-personal-access-token/"
	slack     = "https://docs.slack.dev/authentication/tokens/"
	stripe    = "https://docs.stripe.com/keys"
	detectors = "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors"
	leaks     = "https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"
)

// issuers has the forms that issuers document, or that public scanners know where the issuer's
// documentation shows none. Lengths are minimums: a truncated token is a secret, too.
var issuers = []issuer{
	{"AWS", "AKIA ASIA ABIA ACCA", isUpperAlnumByte, 16, 16, nil, awsKeys},
	{"AWS", "A3T", isUpperAlnumByte, 17, 17, isMixedUpper, awsKeys},
	{"AWS Bedrock", "ABSK", isBase64Byte, 60, 0, nil, leaks},
	{"AWS Bedrock", "bedrock-api-key-", isBase64Byte, 20, 0, nil, leaks},
	{"Google", "AIza", ascii.IsWord, 30, 40, nil, scanning},
	{"Google", "ya29. 1//0", ascii.IsDottedWord, 16, 0, nil, "https://developers.google.com/identity/protocols/oauth2"},
	{"Google", "GOCSPX-", ascii.IsWord, 20, 0, nil, scanning},
	{"Google", "GOOG", isUpperAlnumByte, 20, 60, isMixedUpper, "https://cloud.google.com/storage/docs/authentication/hmackeys"},
	{"Alibaba", "LTAI", ascii.IsAlnum, 12, 24, isMixed, detectors},
	{"Tencent", "AKID", ascii.IsAlnum, 28, 44, isMixed, scanning},
	{"DigitalOcean", "dop_v1_ doo_v1_ dor_v1_ doctl_v1_", ascii.IsAlnum, 40, 0, nil, ocean},
	{"Heroku", "HRKU-", ascii.IsWord, 30, 0, nil, scanning},
	{"Yandex", "AQVN t1. y0_ YCAJE", ascii.IsDottedWord, 30, 0, isMixed, "https://yandex.cloud/en/docs/iam/"},
	{"Scalingo", "tk-us- tk-eu- tk-osc-", ascii.IsWord, 40, 0, nil, leaks},
	{"Fly.io", "fo1_ fm1_ fm1a_ fm1r_ fm2_", isFlyByte, 30, 0, nil, "https://fly.io/docs/security/tokens/"},
	{"Render", "rnd_", ascii.IsAlnum, 24, 0, nil, scanning},
	{"Netlify", "nfp_ nfo_ nfu_ nfb_ nfc_", ascii.IsAlnum, 24, 0, nil, scanning},
	{"Vercel", "vcp_ vci_ vca_ vcr_ vck_ vercel_blob_rw_", ascii.IsWord, 24, 0, nil, scanning},
	{"Railway", "railway_", ascii.IsWord, 30, 0, isMixed, scanning},
	{"Cloudflare", "cfut_ cfat_ cfk_", ascii.IsWord, 30, 0, nil, detectors},
	{"Cloudflare", "v1.0-", ascii.IsWord, 100, 0, nil, leaks},
	{"Oracle", "ocid1.credential.", ascii.IsDottedWord, 30, 0, nil, scanning},
	{"Hetzner", "hcloud_", ascii.IsAlnum, 40, 0, nil, scanning},
	{"Exoscale", "EXO", ascii.IsHex, 24, 32, nil, detectors},
	{"Scaleway", "SCW", isUpperAlnumByte, 17, 17, isMixedUpper, scanning},
	{"IBM", "ibmcloud_", ascii.IsWord, 30, 0, nil, scanning},
	{"GitHub", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", ascii.IsWord, 20, 0, nil, "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github"},
	{"GitLab", "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glimt- glagent- glsoat- glffct- gloas- glwt- glrcbt-", ascii.IsDottedWord, 16, 0, nil, gitlab},
	{"GitLab", "GR1348941", ascii.IsWord, 16, 0, nil, gitlab},
	{"Bitbucket", "ATBB ATCTT3 ATATT3 ATOA", isBase64Byte, 20, 0, isMixed, "https://support.atlassian.com/bitbucket-cloud/docs/"},
	{"Bitbucket", "BBDC-", isBase64Byte, 30, 0, nil, detectors},
	{"Azure DevOps", "azdo_pat_", ascii.IsAlnum, 40, 0, nil, scanning},
	{"Gitea", "gta_ gitea_", ascii.IsAlnum, 30, 0, nil, scanning},
	{"Sourcegraph", "sgp_ slk_ sgd_ sgs_", ascii.IsWord, 32, 0, nil, scanning},
	{"Slack", "xoxa- xoxb- xoxc- xoxd- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs- xapp- xwfp-", isSlackByte, 12, 0, nil, slack},
	{"Discord", "mfa.", ascii.IsWord, 60, 0, nil, scanning},
	{"Telegram", "bot", isTelegramByte, 40, 0, isTelegram, "https://core.telegram.org/bots/api"},
	{"Zoom, Zulip", "zpka_", ascii.IsWord, 40, 0, nil, scanning},
	{"Stripe", "sk_live_ sk_test_ rk_live_ rk_test_ sk_prod_ rk_prod_ sk_org_live_", ascii.IsWord, 10, 0, nil, stripe},
	{"Stripe", "whsec_", isBase64Byte, 20, 0, nil, stripe},
	{"Square", "sq0atp- sq0csp- sq0idp- sq0isp-", ascii.IsWord, 20, 0, nil, scanning},
	{"Square", "EAAA", ascii.IsWord, 40, 70, isMixed, scanning},
	{"PayPal Braintree", "access_token$", isBraintreeByte, 30, 0, nil, scanning},
	{"Shopify", "shpat_ shpss_ shpca_ shppa_ shptka_ shpua_ shprt_ shpit_ shltm_", ascii.IsWord, 28, 0, nil, shopify},
	{"Razorpay", "rzp_live_ rzp_test_", ascii.IsAlnum, 12, 0, nil, detectors},
	{"Flutterwave", "FLWSECK- FLWSECK_TEST- FLWSECK_TEST", ascii.IsWord, 12, 0, nil, detectors},
	{"Paystack", "sk_paystack_", ascii.IsWord, 20, 0, nil, scanning},
	{"Plaid", "access-sandbox- access-development- access-production-", ascii.IsWord, 30, 0, nil, leaks},
	{"Shippo", "shippo_live_ shippo_test_", ascii.IsHex, 32, 0, nil, leaks},
	{"EasyPost", "EZAK EZTK", ascii.IsAlnum, 40, 0, nil, leaks},
	{"Adyen", "AQE", isBase64Byte, 60, 0, isAdyen, scanning},
	{"Checkout", "sk_sbox_ sk_checkout_", ascii.IsWord, 20, 0, nil, scanning},
	{"Coinbase, Duffel", "duffel_live_ duffel_test_", isBase64Byte, 30, 0, nil, leaks},
	{"Ramp", "ramp_sec_ ramp_tok_", ascii.IsAlnum, 30, 0, nil, detectors},
	{"npm", "npm_", ascii.IsAlnum, 30, 0, nil, scanning},
	{"PyPI", "pypi-AgE", ascii.IsWord, 16, 0, nil, "https://pypi.org/help/#apitoken"},
	{"RubyGems", "rubygems_", ascii.IsHex, 32, 0, nil, scanning},
	{"NuGet", "oy2", ascii.IsAlnum, 43, 43, isMixedDigits, scanning},
	{"crates.io", "cio", ascii.IsAlnum, 32, 32, isMixed, scanning},
	{"Docker Hub", "dckr_pat_ dckr_oat_", ascii.IsWord, 20, 0, nil, scanning},
	{"Artifactory", "AKCp cmVmd", ascii.IsAlnum, 50, 80, nil, leaks},
	{"Clojars", "CLOJARS_", ascii.IsAlnum, 40, 0, nil, leaks},
	{"Terraform Cloud, Cargo", "cargo_", ascii.IsAlnum, 32, 0, nil, scanning},
	{"SendGrid", "SG.", ascii.IsDottedWord, 40, 0, isMixed, scanning},
	{"Mailgun", "key- pubkey-", ascii.IsAlnum, 32, 32, isMixedDigits, scanning},
	{"Mailchimp Transactional", "md-", ascii.IsWord, 20, 26, isMixed, scanning},
	{"Sendinblue", "xkeysib- xsmtpsib-", ascii.IsWord, 40, 0, nil, scanning},
	{"Resend", "re_", ascii.IsWord, 24, 0, isMixed, scanning},
	{"Postmark, MailerSend", "mlsn.", ascii.IsHex, 40, 0, nil, scanning},
	{"Twilio", "SK", ascii.IsHex, 32, 32, nil, "https://www.twilio.com/docs/iam/api-keys"},
	{"Anthropic", "sk-ant-", ascii.IsWord, 20, 0, nil, scanning},
	{"OpenAI", "sk-proj- sk-svcacct- sk-admin- sk-service- sk-None- sess-", ascii.IsWord, 20, 0, nil, scanning},
	{"OpenRouter, Langfuse", "sk-or-v1- sk-or- sk-lf- sk-litellm-", ascii.IsWord, 20, 0, nil, scanning},
	{"OpenAI, DeepSeek", "sk-", ascii.IsWord, 20, 0, isMixedDigits, scanning},
	{"ElevenLabs", "sk_", ascii.IsHex, 40, 0, nil, detectors},
	{"Freemius", "sk_", isFreemiusByte, 29, 0, isMixed, leaks},
	{"Hugging Face", "hf_ api_org_", ascii.IsAlnum, 30, 0, isMixedCase, scanning},
	{"Replicate", "r8_", ascii.IsWord, 30, 0, isMixed, scanning},
	{"Groq", "gsk_", ascii.IsAlnum, 40, 0, nil, scanning},
	{"Perplexity", "pplx-", ascii.IsAlnum, 40, 0, nil, scanning},
	{"xAI", "xai-", ascii.IsWord, 40, 0, nil, scanning},
	{"NVIDIA", "nvapi-", ascii.IsWord, 40, 0, nil, scanning},
	{"LangSmith", "lsv2_pt_ lsv2_sk_ ls__", ascii.IsWord, 30, 0, nil, scanning},
	{"Pinecone", "pcsk_", ascii.IsWord, 40, 0, nil, scanning},
	{"Fireworks, Together", "fw_ tgp_v1_", ascii.IsWord, 22, 0, isMixed, scanning},
	{"Weights & Biases", "wandb_v1_", ascii.IsWord, 40, 0, nil, scanning},
	{"Voyage, Jina, Tavily, Firecrawl", "pa-", ascii.IsWord, 40, 0, isMixed, scanning},
	{"Jina", "jina_", ascii.IsWord, 40, 0, nil, scanning},
	{"Tavily, Firecrawl", "tvly- fc-", ascii.IsWord, 30, 0, isMixedDigits, scanning},
	{"HashiCorp Vault", "hvs. hvb. hvr.", ascii.IsWord, 20, 0, nil, "https://developer.hashicorp.com/vault/docs/concepts/tokens"},
	{"HashiCorp Vault", "s. b. r.", ascii.IsAlnum, 24, 24, isMixed, "https://developer.hashicorp.com/vault/docs/concepts/tokens"},
	{"Pulumi", "pul-", ascii.IsHex, 32, 0, nil, scanning},
	{"Doppler", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit. dp.said.", ascii.IsDottedWord, 20, 0, nil, doppler},
	{"1Password", "A3-", ascii.IsWord, 30, 40, isMixedUpper, "https://support.1password.com/secret-key-security/"},
	{"1Password", "ops_eyJ", isBase64Byte, 40, 0, nil, "https://developer.1password.com/docs/service-accounts/"},
	{"Infisical", "st. ist.", ascii.IsDottedWord, 50, 0, isMixedDigits, scanning},
	{"Akeyless, Bitwarden", "AKEYLESS- 0.bws.", ascii.IsDottedWord, 30, 0, nil, scanning},
	{"Supabase", "sbp_ sb_secret_", ascii.IsWord, 20, 0, nil, scanning},
	{"Databricks", "dapi dkea dose dsapi", ascii.IsHex, 32, 0, nil, "https://docs.databricks.com/aws/en/dev-tools/auth/pat"},
	{"PlanetScale", "pscale_pw_ pscale_tkn_ pscale_oauth_ pscale_api_", ascii.IsDottedWord, 20, 0, nil, scanning},
	{"Neon", "napi_", ascii.IsAlnum, 40, 0, nil, scanning},
	{"ClickHouse", "4b1d", ascii.IsAlnum, 38, 38, isMixed, leaks},
	{"Aiven, Confluent", "cflt aivn", isBase64Byte, 50, 0, isMixed, scanning},
	{"MongoDB Atlas", "mdb_sa_sk_", ascii.IsWord, 30, 0, nil, scanning},
	{"Redpanda, Upstash, Turso", "upstash_ QStash_", ascii.IsWord, 30, 0, nil, scanning},
	{"Grafana", "glsa_ glc_", isBase64Byte, 24, 0, nil, "https://grafana.com/docs/grafana/latest/administration/service-accounts/"},
	{"Grafana", "eyJrIjoi", isBase64Byte, 30, 0, nil, leaks},
	{"New Relic", "NRAK- NRII- NRIQ- NRAA- NRJS- NRBR- NRSP-", ascii.IsWord, 16, 0, nil, newRelic},
	{"Datadog", "ddp_ ddw_ ddapp_ ddapi_", ascii.IsAlnum, 30, 0, nil, detectors},
	{"Dynatrace", "dt0c01. dt0s01. dt0s02. dt0s03. dt0s04. dt0s06. dt0s08. dt0s16. dt0e01.", ascii.IsDottedWord, 24, 0, nil, "https://docs.dynatrace.com/docs/manage/identity-access-management/access-tokens-and-oauth-clients/access-tokens"},
	{"Honeycomb", "hcaik_ hcbik_ hcxik_ hcamk_ hcxlk_ hcalk_", ascii.IsAlnum, 30, 0, nil, scanning},
	{"Sentry", "sntrys_ sntryu_ sntrya_ sntryi_", isBase64Byte, 40, 0, nil, "https://docs.sentry.io/account/auth-tokens/"},
	{"Rootly, incident.io, PagerDuty", "rootly_ inc_ pdus+", ascii.IsWord, 40, 0, isMixedDigits, detectors},
	{"Logz, Better Stack, Axiom", "xaat- xapt- bs_", ascii.IsWord, 30, 0, isMixedDigits, scanning},
	{"PostHog", "phx_ phs_", ascii.IsWord, 30, 0, nil, detectors},
	{"Sonar", "squ_ sqp_ sqa_ sqb_ sqco_", ascii.IsAlnum, 32, 0, nil, "https://docs.sonarsource.com/sonarqube-server/"},
	{"Buildkite", "bkua_ bkat_ bkct_ bkpt_", ascii.IsAlnum, 32, 0, nil, scanning},
	{"CircleCI", "CCIPAT_ CCIPRJ_", ascii.IsWord, 40, 0, nil, scanning},
	{"Octopus", "API-", isUpperAlnumByte, 24, 32, isMixedUpper, leaks},
	{"Harness", "pat. sat.", ascii.IsDottedWord, 60, 0, isMixed, leaks},
	{"Prefect", "pnu_ pnb_", ascii.IsAlnum, 30, 0, nil, leaks},
	{"Infracost", "ico-", ascii.IsAlnum, 28, 36, nil, leaks},
	{"Snyk, Semgrep, Endor", "snyk_uat. snyk_sat. sgps_ endr+", ascii.IsDottedWord, 16, 0, nil, scanning},
	{"Terraform, Spacelift, env0", "tfp_ tfrc_", ascii.IsWord, 30, 0, nil, detectors},
	{"Travis, Drone, Depot", "depot_project_ depot_org_ depot_user_ drone_", ascii.IsAlnum, 30, 0, nil, scanning},
	{"Airtable", "pat", ascii.IsDottedWord, 70, 90, isAirtable, "https://airtable.com/developers/web/guides/personal-access-tokens"},
	{"Airtable", "key", ascii.IsAlnum, 14, 14, isMixed, leaks},
	{"Notion", "ntn_ secret_", ascii.IsAlnum, 40, 0, isMixed, "https://developers.notion.com/docs/authorization"},
	{"Linear", "lin_api_ lin_oauth_", ascii.IsAlnum, 30, 0, nil, scanning},
	{"Figma", "figd_ figo_ figp_ figoh_ figor_", ascii.IsWord, 30, 0, nil, scanning},
	{"Postman", "PMAK- PMAT-", ascii.IsWord, 24, 0, nil, scanning},
	{"Typeform", "tfp_", ascii.IsDottedWord, 30, 0, nil, scanning},
	{"Contentful", "CFPAT-", ascii.IsWord, 30, 0, nil, scanning},
	{"Mapbox", "sk.eyJ tk.eyJ", ascii.IsDottedWord, 40, 0, nil, scanning},
	{"Tailscale", "tskey-", ascii.IsWord, 20, 0, nil, "https://tailscale.com/kb/1085/auth-keys"},
	{"Twingate, Netbird, ngrok", "nbp_ cr_", ascii.IsAlnum, 30, 0, isMixed, scanning},
	{"HubSpot", "pat-na1- pat-na2- pat-eu1- pat-ap1- CiR", ascii.IsWord, 30, 0, isMixedDigits, scanning},
	{"Adobe", "p8e- p8", ascii.IsWord, 32, 36, isMixedDigits, leaks},
	{"Facebook", "EAA", ascii.IsAlnum, 80, 0, nil, "https://developers.facebook.com/docs/facebook-login/guides/access-tokens/"},
	{"Twitter", "AAAAAAAAAAAAAAAAAAAAA", func(c byte) bool { return isBase64Byte(c) || c == '%' }, 40, 0, isMixed, leaks},
	{"Dropbox", "sl.", ascii.IsDottedWord, 100, 0, nil, "https://www.dropbox.com/developers/documentation/http/documentation"},
	{"Salesforce", "00D", isSalesforceByte, 60, 0, isSalesforce, "https://help.salesforce.com/s/articleView?id=sf.remoteaccess_access_tokens.htm"},
	{"Salesforce", "3MVG9 5AEP861", isSalesforceByte, 70, 0, nil, detectors},
	{"LaunchDarkly", "sdk- api- mob-", isHexDashByte, 36, 36, isUUIDToken, "https://launchdarkly.com/docs/home/account/environment/keys"},
	{"Frame.io", "fio-u-", ascii.IsWord, 40, 0, nil, leaks},
	{"ReadMe", "rdme_", ascii.IsAlnum, 40, 0, nil, leaks},
	{"Asana", "1/ 2/ 0/", isAsanaByte, 44, 100, isAsana, "https://developers.asana.com/docs/personal-access-token"},
	{"Intra42", "s-s4t2ud- s-s4t2af- u-s4t2ud- u-s4t2af-", ascii.IsHex, 40, 0, nil, leaks},
	{"Authress", "sc_ ext_ scauth_ authress_", isAuthressByte, 60, 0, isAuthress, leaks},
	{"Beamer", "b_", isBase64Byte, 44, 44, isMixed, leaks},
	{"Defined Networking", "dnkey-", ascii.IsWord, 40, 0, nil, leaks},
	{"SettleMint", "sm_aat_ sm_pat_ sm_sat_", ascii.IsAlnum, 16, 0, nil, leaks},
	{"Adafruit", "aio_", ascii.IsAlnum, 28, 28, isMixed, detectors},
	{"Apify", "apify_api_", ascii.IsWord, 30, 0, nil, detectors},
	{"Voiceflow", "VF.", ascii.IsDottedWord, 40, 0, nil, detectors},
	{"Zoho", "1000.", ascii.IsDottedWord, 64, 66, isMixedDigits, detectors},
	{"Salad", "salad_cloud_", ascii.IsWord, 20, 0, nil, detectors},
	{"Canva, Miro, ClickUp", "pk_", isClickUpByte, 34, 60, isClickUp, detectors},
	{"Nightfall, Trufflehog", "NF- thog-secret- thog-key-", ascii.IsAlnum, 16, 0, nil, detectors},
	{"Ubidots, Thinkst", "BBFF-", ascii.IsAlnum, 30, 0, nil, detectors},
	{"Red Hat, LINE", "rh-api-", ascii.IsWord, 30, 0, nil, detectors},
	{"Webex, Square sandbox", "sandbox-sq0csb- sandbox-sq0atb-", ascii.IsWord, 20, 0, nil, detectors},
	{"Rainforest, Fleetbase", "flb_live_ ak_live_", ascii.IsAlnum, 20, 0, nil, detectors},
	{"Persona, Unkey, Clerk", "persona_production_ persona_sandbox_ unkey_", ascii.IsWord, 24, 0, nil, scanning},
	{"WorkOS, Svix, Lichess", "sk_example_ testsk_ lip_ lio_", ascii.IsWord, 20, 0, isMixed, scanning},
	{"Mercury, Modal, Val Town", "secret-token: as- vtwn_", ascii.IsWord, 22, 0, isMixed, scanning},
	{"Sumo Logic, Segment", "sgp_ sgw_ sgs_", ascii.IsAlnum, 40, 0, nil, scanning},
	{"Telnyx, Sinch", "KEY0", ascii.IsWord, 40, 0, isMixedDigits, scanning},
	{"OpenShift", "sha256~", ascii.IsWord, 40, 0, nil, "https://docs.redhat.com/en/documentation/openshift_container_platform/"},
	{"Kubernetes bootstrap", "K10", isK3sByte, 70, 0, nil, "https://docs.k3s.io/cli/token"},
	{"Docker Swarm", "SWMTKN-1- SWMKEY-1-", isBase64Byte, 20, 0, nil, "https://docs.docker.com/engine/swarm/join-nodes/"},
	{"age", "AGE-SECRET-KEY-1 AGE-PLUGIN-", ascii.IsWord, 30, 0, nil, "https://age-encryption.org/v1"},
	{"WireGuard, NATS", "SU SA SO", isUpperAlnumByte, 56, 56, isMixedUpper, "https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth"},
	{"Bitcoin", "xprv tprv yprv zprv", ascii.IsAlnum, 100, 0, nil, "https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki"},
	{"MD5 of PostgreSQL", "md5", ascii.IsHex, 32, 32, nil, "https://www.postgresql.org/docs/current/catalog-pg-authid.html"},
	{"SCRAM", "SCRAM-SHA-256$", isBcryptByte, 40, 0, nil, "https://www.postgresql.org/docs/current/catalog-pg-authid.html"},
	{"JWT", "eyJ ewog", isJWTByte, 16, 0, isJWT, "https://www.rfc-editor.org/rfc/rfc7519"},
	{"private key", "LS0tLS1CRUdJTi", isBase64Byte, 20, 0, isEncodedPrivateKey, "https://www.rfc-editor.org/rfc/rfc7468"},
	{"minisign", "RWRTY0Iy", isBase64Byte, 40, 0, nil, "https://jedisct1.github.io/minisign/"},
	{"PKCS #12 of 2048 bits", "MIIJ MIIK MIIL MIIM", isBase64Byte, 1000, 0, nil, "https://www.rfc-editor.org/rfc/rfc7292"},
}

func isUpperAlnumByte(c byte) bool { return ascii.IsUpper(c) || ascii.IsDigit(c) }
func isSlackByte(c byte) bool      { return ascii.IsDottedWord(c) || c == '%' }
func isFlyByte(c byte) bool        { return isBase64Byte(c) || c == ',' }
func isTelegramByte(c byte) bool   { return ascii.IsWord(c) || c == ':' }
func isBraintreeByte(c byte) bool  { return ascii.IsWord(c) || c == '$' }
func isFreemiusByte(c byte) bool {
	return c > ' ' && c < 0x7F && c != '"' && c != '\'' && c != ',' && c != ';'
}
func isSalesforceByte(c byte) bool { return isBase64Byte(c) || c == '!' || c == '.' }
func isHexDashByte(c byte) bool    { return ascii.IsHex(c) || c == '-' }
func isAsanaByte(c byte) bool      { return ascii.IsHex(c) || c == ':' || c == '/' }
func isAuthressByte(c byte) bool   { return isBase64Byte(c) || c == '.' }
func isClickUpByte(c byte) bool    { return ascii.IsHex(c) || c == '_' || isUpperAlnumByte(c) }
func isK3sByte(c byte) bool        { return ascii.IsWord(c) || c == ':' }
func isBcryptByte(c byte) bool     { return isBase64Byte(c) || c == '$' || c == ':' || c == '.' }
func isJWTByte(c byte) bool        { return isBase64Byte(c) || c == '.' }

// isMixed accepts tokens with digits and upper-case letters; ordinary words share their prefix.
func isMixed(token string) bool {
	n := countClasses(token)
	return n.digit > 0 && n.upper > 0 && (n.lower > 0 || n.digit > 2)
}

func isMixedUpper(token string) bool {
	n := countClasses(token)
	return n.digit > 2 && n.upper > 2 && n.lower == 0
}

func isMixedDigits(token string) bool {
	n := countClasses(token)
	return n.digit > 2 && n.lower+n.upper > 2 && !isWordlike(token) && (!isDictionaryName(token) || isHexWord(token[strings.IndexByte(token, '-')+1:]))
}

func isMixedCase(token string) bool {
	n := countClasses(token)
	return n.upper > 2 && n.lower > 2
}
func isTelegram(token string) bool { return strings.Contains(token, ":AA") }
func isAirtable(token string) bool {
	return len(token) > 18 && token[17] == '.' && isHexWord(token[18:])
}
func isAdyen(token string) bool      { return isRandomWord(token[:40]) }
func isSalesforce(token string) bool { return strings.Contains(token[:min(len(token), 20)], "!") }
func isUUIDToken(token string) bool  { return len(token) > 36 && isUUID(token[len(token)-36:]) }
func isAsana(token string) bool {
	_, secret, found := strings.Cut(token, ":")
	return found && len(secret) == 32 && isHexWord(secret)
}

func isAuthress(token string) bool {
	return strings.Contains(token, ".acc_") || strings.Contains(token, ".acc-")
}

func isClickUp(token string) bool {
	return strings.Count(token, "_") == 2 && len(token) > 40 && isMixedUpper(token[3:strings.LastIndexByte(token, '_')+8])
}

// infixes identify credentials by characters inside or at their end.
var infixes = []struct {
	mark, source string
	accepts      func(before, after string) bool
}{
	{"T3BlbkFJ", "https://docs.github.com/en/code-security/secret-scanning (OpenAI)", func(b, a string) bool { return len(b) >= 16 && len(a) >= 16 }},
	{".atlasv1.", "https://developer.hashicorp.com/terraform/cloud-docs (API tokens)", func(b, a string) bool { return len(b) >= 10 && len(a) >= 30 }},
	{"_mmk", "https://support.maxmind.com/ (license keys)", func(b, a string) bool { return len(b) >= 30 && a == "" }},
	{"NRAL", newRelic, func(b, a string) bool { return len(b) >= 32 && a == "" }},
	{"-NRMA", newRelic, func(b, a string) bool { return len(b) >= 32 && a == "" }},
	{"-us", "https://mailchimp.com/developer/marketing/guides/quick-start/", func(b, a string) bool {
		return len(b) == 32 && isHexWord(b) && len(a) > 0 && len(a) < 3 && ascii.Digits.Only(a)
	}},
	{"JQQJ99", "https://learn.microsoft.com/en-us/purview/sit-defn-azure (common annotated keys)", func(b, a string) bool { return len(b) >= 50 }},
	{"+ACR", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 40 }},
	{"+ASt", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 70 }},
	{"+ASb", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 30 }},
	{"+AEh", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 30 }},
	{"+ARm", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 30 }},
	{"AzSe", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 40 }},
	{"AzFu", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 40 && strings.HasSuffix(a, "==") }},
	{"AzCa", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 30 }},
	{"AIoT", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 30 }},
	{"AZDO", "https://learn.microsoft.com/en-us/azure/devops/organizations/accounts/", func(b, a string) bool { return len(b) >= 70 }},
	{"ACDb", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 70 }},
	{"APIM", "https://learn.microsoft.com/en-us/purview/sit-defn-azure", func(b, a string) bool { return len(b) >= 70 }},
	{"Q~", "https://learn.microsoft.com/en-us/purview/sit-defn-azure-ad-client-secret", func(b, a string) bool { return len(b) >= 4 && ascii.IsDigit(b[len(b)-1]) && len(a) >= 30 }},
	{":AA", "https://core.telegram.org/bots/api", func(b, a string) bool { return len(b) >= 8 && ascii.Digits.Only(b) && len(a) >= 28 }},
	{":AP", "https://docs.github.com/en/code-security/secret-scanning (Firebase server key)", func(b, a string) bool { return len(b) == 11 && len(a) >= 100 }},
}

// tokenForm is an issuer's form with one prefix.
type tokenForm struct {
	second byte // of the prefix
	prefix string
	*issuer
}

// issuerForms has the forms by the first byte of their prefix, so that a scan tries only those that
// can match.
var issuerForms = func() (forms [256][]tokenForm) {
	for i := range issuers {
		for prefix := range strings.FieldsSeq(issuers[i].prefixes) {
			forms[prefix[0]] = append(forms[prefix[0]], tokenForm{prefix[1], prefix, &issuers[i]})
		}
	}
	return forms
}()

// tokenStarts has the prefixes by a hash of their first three bytes, or of two and a zero.
var tokenStarts = func() (set [1 << 12]bool) {
	for i := range issuers {
		for prefix := range strings.FieldsSeq(issuers[i].prefixes) {
			third := byte(0)
			if len(prefix) > 2 {
				third = prefix[2]
			}
			set[tokenStart(prefix[0], prefix[1], third)] = true
		}
	}
	return set
}()

// tokenStart hashes three bytes to 12 bits.
func tokenStart(a, b, c byte) int {
	return int((uint32(a)<<16 | uint32(b)<<8 | uint32(c)) * 0x9E3779B1 >> 20)
}

// shortestToken is the minimum length of a credential that is recognized by its form.
var shortestToken = func() int {
	shortest := math.MaxInt
	for _, forms := range issuerForms {
		for _, form := range forms {
			shortest = min(shortest, len(form.prefix)+form.minLength)
		}
	}
	return shortest
}()

// scanToken redacts a credential that is recognized by its form and starts in the word between start
// and end, at the word's start or after an underscore or hyphen. It returns the index after it, or 0.
func (sc *scanner) scanToken(start, end int, roles wordRole) int {
	if next := sc.scanInfix(start, end); next > 0 {
		return next
	}
	s := sc.text
	for i, begins := start, true; i < end && i+2 < len(s); i++ {
		if !ascii.IsAlnum(s[i]) {
			begins = true
			continue
		}
		if begins && (tokenStarts[tokenStart(s[i], s[i+1], s[i+2])] || tokenStarts[tokenStart(s[i], s[i+1], 0)]) {
			if stop, form := sc.tokenAt(i); form != nil {
				return sc.add(i, stop, form.action())
			}
		}
		if begins = false; roles&roleJoined == 0 {
			break
		}
	}
	return 0
}

func (form *tokenForm) action() Action {
	switch form.name {
	case "AWS":
		return ActionAWSKey
	case "age", "private key", "minisign", "PKCS #12 of 2048 bits":
		return ActionPrivateKey
	}
	return ActionToken
}

// tokenAt returns the end and the form of the credential that starts at i.
func (sc *scanner) tokenAt(i int) (int, *tokenForm) {
	s := sc.text
	for n := range issuerForms[s[i]] {
		form := &issuerForms[s[i]][n]
		if form.second != s[i+1] || len(s)-i < len(form.prefix)+form.minLength || s[i+len(form.prefix)-1] != form.prefix[len(form.prefix)-1] || !strings.HasPrefix(s[i:], form.prefix) || i < sc.failed[form] || form.check != nil && i > 0 && (s[i-1] == '-' || s[i-1] == '_') {
			continue
		}
		start := i + len(form.prefix)
		end := start + ascii.PrefixLen(s[start:], form.body)
		stop := start + len(strings.TrimRight(s[start:end], ".-:"))
		if n := stop - start; n >= form.minLength && (form.maxLength == 0 || n <= form.maxLength) && (form.check == nil || form.check(s[i:stop])) {
			return stop, form
		}
		if sc.failed == nil {
			sc.failed = map[*tokenForm]int{}
		}
		sc.failed[form] = end
	}
	return 0, nil
}

// scanInfix redacts a credential with one of infixes.
func (sc *scanner) scanInfix(start, end int) int {
	const shortest = 32
	s := sc.text
	if end-start < shortest && !continuesToken(s, start, end) || start > 0 && isInfixByte(s[start-1]) {
		return 0
	}
	stop := start + ascii.PrefixLen(s[start:], isInfixByte)
	if stop-start < shortest {
		return 0
	}
	word := strings.TrimRight(s[start:stop], ".:")
	if isDiscordToken(word) {
		return sc.add(start, start+len(word), ActionToken)
	}
	for _, infix := range infixes {
		if n := strings.Index(word, infix.mark); n > 0 && infix.accepts(word[:n], word[n+len(infix.mark):]) {
			return sc.add(start, start+len(word), ActionToken)
		}
	}
	return 0
}

// continuesToken reports whether the byte after the word may be inside one of infixes, or join the
// parts of a token.
func continuesToken(s string, start, end int) bool {
	const beforeDot, beforeColon = 14, 8 // of the shortest such tokens
	if end == len(s) {
		return false
	}
	switch s[end] {
	case '~', '+':
		return true
	case '.':
		return end-start >= beforeDot
	case ':':
		return end-start >= beforeColon
	}
	return false
}

// isDiscordToken accepts a user's identifier in base64, a time and a code, joined by dots
// (https://discord.com/developers/docs/reference#authentication).
func isDiscordToken(word string) bool {
	parts := strings.SplitN(word, ".", 4)
	return len(parts) == 3 && len(parts[0]) >= 23 && len(parts[0]) <= 28 && len(parts[1]) == 6 && len(parts[2]) >= 27 && isMixed(parts[0]) && isMixed(parts[2])
}

func isInfixByte(c byte) bool { return isBase64Byte(c) && c != '/' || c == '.' || c == '~' || c == ':' }

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
	const armour = 64 // base64 of the first 48 bytes, which include the type of key
	text, err := base64.StdEncoding.DecodeString(s[:min(armour, len(s)&^3)])
	return err == nil && strings.Contains(string(text), "PRIVATE KEY")
}
