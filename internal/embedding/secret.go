package embedding

import (
	"fmt"
	"log/slog"
)

// Secret holds a text that is sent and never printed: not by fmt with any verb, not by slog, not in JSON or any other text
// encoding, also not when it lies in an unexported field, which fmt prints without asking. The zero Secret is no Secret.
type Secret struct {
	text *string // a pointer, since fmt does not follow one inside a struct
}

// newSecret wraps a Secret; the empty text gives the zero Secret.
func newSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// reveal is the Secret itself, empty if there is none.
func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String tells only whether there is a Secret: "[redacted]", or "" for the zero Secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return "[redacted]"
}

// GoString is String for the verb %#v.
func (s Secret) GoString() string {
	return s.String()
}

// Format is String for every verb.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, s.String())
}

// LogValue is String for slog.
func (s Secret) LogValue() slog.Value {
	return slog.StringValue(s.String())
}

// MarshalText is String for JSON and other encodings.
func (s Secret) MarshalText() ([]byte, error) {
	return []byte(s.String()), nil
}
