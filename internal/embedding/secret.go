package embedding

import (
	"fmt"
	"log/slog"
)

// Secret is a string that is never printed: not by fmt with any verb, not by slog, not in JSON or
// another text encoding, not even in an unexported field, which fmt prints by reflection. The zero
// Secret is empty.
type Secret struct {
	value *string // a pointer, because fmt does not follow pointers inside a struct
}

// newSecret returns the zero Secret for "".
func newSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

func (s Secret) reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String returns "[redacted]", or "" for the zero Secret.
func (s Secret) String() string {
	if s.value == nil {
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
