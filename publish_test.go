package datastorage_test

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"testing"
)

// TestServerlessRepository checks the metadata for sam publish against its limits
// (CreateApplication in https://docs.aws.amazon.com/goto/WebAPI/serverlessrepo-2017-09-08/CreateApplication, read 2026-11-28 in botocore 1.43.127),
// and that the version is the newest of CHANGELOG.md.
func TestServerlessRepository(t *testing.T) {
	t.Parallel()
	application, _ := valueAt(readTemplate(t), "Metadata", "AWS::ServerlessRepo::Application").(tree)
	newest := ""
	if released := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\]`).FindStringSubmatch(read(t, "CHANGELOG.md")); released != nil {
		newest = released[1]
	}
	for name, pattern := range map[string]string{
		"Name":            `[a-zA-Z0-9-]{1,140}`,
		"Description":     `.{1,256}`,
		"Author":          `[a-z0-9](-?[a-z0-9])*`,
		"SpdxLicenseId":   `Apache-2\.0`,
		"HomePageUrl":     `https://github\.com/.+`,
		"SourceCodeUrl":   `https://github\.com/.+`,
		"SemanticVersion": regexp.QuoteMeta(cmp.Or(newest, "0.0.0")),
	} {
		if value := fmt.Sprint(application[name]); !regexp.MustCompile("^" + pattern + "$").MatchString(value) {
			t.Errorf("%s is %q, want %s", name, value, pattern)
		}
	}
	for _, name := range []string{"LicenseUrl", "ReadmeUrl"} {
		if _, err := os.Stat(fmt.Sprint(application[name])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	labels := asList(application["Labels"])
	for _, label := range labels {
		if !regexp.MustCompile(`^[a-zA-Z0-9+_:/@-]{1,127}$`).MatchString(fmt.Sprint(label)) {
			t.Errorf("%q is no label", label)
		}
	}
	if len(labels) == 0 || len(labels) > 10 {
		t.Errorf("%d labels, want 1 to 10", len(labels))
	}
}
