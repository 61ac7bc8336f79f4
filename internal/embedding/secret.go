package embedding

import (
	"fmt"
	"log/slog"
)

// secret holds a text that is sent and never printed: not by fmt with any verb, not by slog, not in JSON or any other text
// encoding, also not when it lies in an unexported field, which fmt prints without asking. The zero secret is no secret.
type secret struct {
	text *string // a pointer, since fmt does not follow one inside a struct
}

// newSecret wraps a secret; the empty text gives the zero secret.
func newSecret(text string) secret {
	if text == "" {
		return secret{}
	}
	return secret{text: &text}
}

// reveal is the secret itself, empty if there is none.
func (s secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String tells only whether there is a secret: "[redacted]", or "" for the zero secret.
func (s secret) String() string {
	if s.text == nil {
		return ""
	}
	return "[redacted]"
}

// GoString is String for the verb %#v.
func (s secret) GoString() string {
	return s.String()
}

// Format is String for every verb.
func (s secret) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, s.String())
}

// LogValue is String for slog.
func (s secret) LogValue() slog.Value {
	return slog.StringValue(s.String())
}

// MarshalText is String for JSON and other encodings.
func (s secret) MarshalText() ([]byte, error) {
	return []byte(s.String()), nil
}
