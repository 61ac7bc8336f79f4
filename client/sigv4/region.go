package sigv4

import (
	"net/url"
	"regexp"
	"strings"
)

// executeAPIHost is the host of an API that has no domain of its own: ID.execute-api.REGION and the domain of the AWS
// partition, those of the commercial regions and GovCloud, of China and of the European Sovereign Cloud (DnsSuffix in
// aws-sdk-go-v2, internal/endpoints/awsrulesfn/partitions.go, v1.47.8).
var executeAPIHost = regexp.MustCompile(`^[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.(?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu)$`)

// RegionOf returns the region of a URL that API Gateway has assigned, such as https://ID.execute-api.eu-central-1.amazonaws.com,
// or false for any other URL, for example one with a custom domain.
func RegionOf(baseURL string) (region string, assigned bool) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return "", false
	}
	match := executeAPIHost.FindStringSubmatch(strings.ToLower(base.Hostname()))
	if match == nil {
		return "", false
	}
	return match[1], true
}
