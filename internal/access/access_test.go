package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// TestNewNamesTheSetting checks that invalid settings are rejected, with the names of their
// variables and without secrets.
func TestNewNamesTheSetting(t *testing.T) {
	t.Parallel()
	ca := postgrestest.NewAuthority(t).File
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	const full = "postgres://w@h:5432/d?sslmode=verify-full"
	for name, c := range map[string]struct {
		settings access.Settings
		want     string // the names in the error; empty: none
	}{
		"nothing":                        {access.Settings{}, "DATASTORAGE_DATABASE_URL"},
		"a URL":                          {access.Settings{URL: "postgres://w:hunter2@h/d"}, ""},
		"a URL without a password":       {access.Settings{URL: full}, ""},
		"an invalid URL":                 {access.Settings{URL: "://hunter2"}, "DATASTORAGE_DATABASE_URL"},
		"an invalid reader URL":          {access.Settings{URL: full, ReaderURL: "://hunter2"}, "DATASTORAGE_DATABASE_READER_URL"},
		"iam":                            {access.Settings{URL: full, IAM: true, Region: "eu-west-1"}, ""},
		"iam with roots":                 {access.Settings{URL: full, IAM: true, Region: "eu-west-1", CA: ca}, ""},
		"iam without a region":           {access.Settings{URL: full, IAM: true}, "AWS_REGION"},
		"iam without TLS":                {access.Settings{URL: "postgres://w@h/d?sslmode=disable", IAM: true, Region: "r"}, "DATASTORAGE_DATABASE_URL DATASTORAGE_DATABASE_AUTH verify-full"},
		"iam with sslmode=require":       {access.Settings{URL: "postgres://w@h/d?sslmode=require", IAM: true, Region: "r"}, "DATASTORAGE_DATABASE_URL verify-full"},
		"iam with sslmode=prefer":        {access.Settings{URL: "postgres://w@h/d", IAM: true, Region: "r"}, "DATASTORAGE_DATABASE_URL verify-full"},
		"iam with sslmode=verify-ca":     {access.Settings{URL: "postgres://w@h/d?sslmode=verify-ca", IAM: true, Region: "r"}, "DATASTORAGE_DATABASE_URL verify-full"},
		"iam with a password":            {access.Settings{URL: "postgres://w:hunter2@h/d?sslmode=verify-full", IAM: true, Region: "r"}, "DATASTORAGE_DATABASE_URL password"},
		"iam without a user":             {access.Settings{URL: "postgres://h/d?sslmode=verify-full", IAM: true, Region: "r"}, "DATASTORAGE_DATABASE_URL user"},
		"iam for two hosts":              {access.Settings{URL: "postgres://w@h,i/d?sslmode=verify-full", IAM: true, Region: "r"}, "DATASTORAGE_DATABASE_URL one host"},
		"iam and a reader without TLS":   {access.Settings{URL: full, ReaderURL: "postgres://w@h/d", IAM: true, Region: "r"}, "DATASTORAGE_DATABASE_READER_URL verify-full"},
		"iam and a secret":               {access.Settings{URL: full, IAM: true, Region: "r", Secret: "s"}, "DATASTORAGE_DATABASE_SECRET DATASTORAGE_DATABASE_AUTH"},
		"iam without a URL":              {access.Settings{URL: "host=h user=w sslmode=verify-full", IAM: true, Region: "r"}, "DATASTORAGE_DATABASE_URL must be a URL"},
		"a secret":                       {access.Settings{URL: "postgres://h/d", Secret: "s"}, ""},
		"a secret and a password":        {access.Settings{URL: "postgres://w:hunter2@h/d", Secret: "s"}, "DATASTORAGE_DATABASE_URL DATASTORAGE_DATABASE_SECRET"},
		"roots":                          {access.Settings{URL: full, CA: ca}, ""},
		"the system's roots":             {access.Settings{URL: full, CA: "system"}, ""},
		"a missing CA file":              {access.Settings{URL: full, CA: "/nowhere.pem"}, "DATASTORAGE_DATABASE_CA /nowhere.pem"},
		"a CA file without certificates": {access.Settings{URL: full, CA: empty}, "DATASTORAGE_DATABASE_CA PEM"},
		"a CA file without verify-full":  {access.Settings{URL: "postgres://w:hunter2@h/d?sslmode=require", CA: ca}, "DATASTORAGE_DATABASE_URL DATASTORAGE_DATABASE_CA verify-full"},
	} {
		_, err := access.New(c.settings, aws.Config{})
		if (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for word := range strings.FieldsSeq(c.want) {
			if !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v, want %s", name, err, word)
			}
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	settings := access.Settings{URL: "postgres://w:hunter2@h/d", ReaderURL: "postgres://w:hunter2@i/d"}
	databases, err := access.New(settings, aws.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb+verb+verb, settings, databases, databases.Writer); strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s", verb, text)
		}
	}
}
