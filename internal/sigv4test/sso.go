package sigv4test

import (
	"crypto/sha1" //nolint:gosec // not for security: the name of a file, as the AWS CLI chooses it
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// WriteSSOToken writes the token of an SSO session below a home directory, as aws sso login does. key is the session's name, or the
// start URL of a profile without a session.
func WriteSSOToken(home, key, token string, expires time.Time) error {
	name := sha1.Sum([]byte(key)) //nolint:gosec // see the import
	folder := filepath.Join(home, ".aws", "sso", "cache")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	content := fmt.Sprintf(`{"accessToken": %q, "expiresAt": %q, "region": "eu-west-1"}`, token, expires.UTC().Format(time.RFC3339))
	return os.WriteFile(filepath.Join(folder, hex.EncodeToString(name[:])+".json"), []byte(content), 0o600)
}
