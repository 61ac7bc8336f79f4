package embedding

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// A secret is not printed, alone or inside another value, in exported or unexported fields.
func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	const text = "hunter2"
	key := newSecret(text)
	settings := Settings{Provider: "openai", APIKey: key}
	hidden := struct{ settings Settings }{settings}
	for _, value := range []any{key, &key, settings, &settings, hidden, []Secret{key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
			printed := fmt.Sprintf(verb, value)
			if strings.Contains(printed, text) || strings.Contains(strings.ToLower(printed), fmt.Sprintf("%x", text)) {
				t.Errorf("%s of %T prints the secret: %s", verb, value, printed)
			}
		}
		encoded, err := json.Marshal(value)
		if err != nil || strings.Contains(string(encoded), text) {
			t.Errorf("JSON of %T: %s, %v", value, encoded, err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "value", value)
		if strings.Contains(log.String(), text) {
			t.Errorf("slog of %T prints the secret: %s", value, log.String())
		}
	}
}

func TestSecretString(t *testing.T) {
	t.Parallel()
	for key, want := range map[Secret]string{
		newSecret("x"): "[redacted]",
		newSecret(""):  "",
		{}:             "",
	} {
		if got := fmt.Sprintf("%v|%s|%d|", key, key, key) + key.GoString(); got != strings.Join([]string{want, want, want, want}, "|") {
			t.Errorf("prints %q, want four times %q", got, want)
		}
	}
}
