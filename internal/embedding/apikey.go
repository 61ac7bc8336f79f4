package embedding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"

	"github.com/datastorage-service/datastorage/internal/secrets"
)

// keyReadPause is the minimum time between two reads of a secret that do not help: every write calls
// the endpoint, so a key that is refused would otherwise be read with every write.
const keyReadPause = 5 * time.Second

// KeySecret names the secret of AWS Secrets Manager that has an API key. The zero KeySecret is none.
type KeySecret struct {
	// ID is the ARN or the name of the secret.
	ID string
	// Variable is the environment variable that has the ID, for errors.
	Variable string
}

// KeyError means that the secret with the API key cannot be read. It is an ErrUnavailable.
type KeyError struct {
	// Variable is the environment variable that names the secret.
	Variable string
	err      error
}

// Error returns the variable and the reason.
func (e *KeyError) Error() string {
	return fmt.Sprintf("read the secret in %s: %s", e.Variable, secretMessage(e.err))
}

// Unwrap returns the reason.
func (e *KeyError) Unwrap() error { return e.err }

// secretMessage returns the message of Secrets Manager without the request's details that the SDK
// adds before it.
func secretMessage(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return printableLine(api.ErrorCode() + ": " + api.ErrorMessage())
	}
	return printableLine(err.Error())
}

// apiKey is the key of an endpoint: that of a secret, or a fixed one, which may be empty.
type apiKey struct {
	fixed    Secret
	secret   *secrets.Secret[string] // nil for a fixed key
	variable string
}

// openAPIKey reads region and credentials from the environment, like the AWS SDK, if the key is in a
// secret. It does not read the secret.
func openAPIKey(ctx context.Context, s Settings) (apiKey, error) {
	if s.APIKeySecret == (KeySecret{}) {
		return apiKey{fixed: s.APIKey}, nil
	}
	if s.APIKey != (Secret{}) {
		return apiKey{}, errors.New("APIKeySecret cannot be combined with APIKey")
	}
	sdk, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return apiKey{}, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if sdk.Region == "" {
		return apiKey{}, fmt.Errorf("APIKeySecret needs a region: AWS_REGION must be set for %s", s.APIKeySecret.Variable)
	}
	return newSecretKey(sdk, s.APIKeySecret), nil
}

func newSecretKey(sdk aws.Config, secret KeySecret) apiKey {
	return apiKey{variable: secret.Variable, secret: secrets.New(sdk, secrets.Config[string]{
		ID: secret.ID, Decode: decodeAPIKey, Pause: keyReadPause,
	})}
}

// readKey returns the key. The error is a *KeyError.
func (k apiKey) readKey(ctx context.Context) (string, error) {
	if k.secret == nil {
		return k.fixed.reveal(), nil
	}
	key, err := k.secret.Value(ctx)
	if err != nil {
		return "", &KeyError{Variable: k.variable, err: err}
	}
	return key, nil
}

// currentKey returns the key for a call. The error is a *failure: ErrUnavailable with a *KeyError.
func (k apiKey) currentKey(ctx context.Context) (string, error) {
	key, err := k.readKey(ctx)
	if err == nil {
		return key, nil
	}
	f := unavailableFailure(err.Error(), err)
	// A read goes on without its caller: a retry may find its result.
	f.transient = ctx.Err() != nil
	return "", f
}

// replaceRefusedKey reads the secret again after the endpoint has refused its key. It reports
// whether the secret has another one. The error is a *KeyError.
func (k apiKey) replaceRefusedKey(ctx context.Context, refused string) (bool, error) {
	if k.secret == nil {
		return false, nil
	}
	k.secret.Refuse(refused)
	key, err := k.readKey(ctx)
	return err == nil && key != refused, err
}

// decodeAPIKey returns the key in the text of a secret: the text without surrounding white space, or
// the member api_key of a JSON object, which is what Secrets Manager's console makes of key/value
// pairs. A key consists of visible ASCII characters, like a bearer token (RFC 6750, section 2.1).
func decodeAPIKey(text string) (string, error) {
	key := strings.TrimSpace(text)
	if strings.HasPrefix(key, "{") {
		var object struct {
			Key string `json:"api_key"`
		}
		if err := json.Unmarshal([]byte(key), &object); err != nil {
			// The decoder's message can hold parts of the key.
			return "", errors.New("the secret is not a JSON object with the string api_key")
		}
		key = object.Key
	}
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r < '!' || r > '~' }) {
		return "", errors.New("the secret is neither an API key nor a JSON object with an API key as api_key")
	}
	return key, nil
}
