package client_test

import (
	"encoding/json"
	"testing"

	"github.com/datastorage-service/datastorage/client"
)

func TestNullableDistinguishesAbsentNullAndValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text         string
		absent, null bool
		value        string
		present      bool
	}{
		{`{}`, true, false, "", false},
		{`{"error_message":null}`, false, true, "", false},
		{`{"error_message":""}`, false, false, "", true},
		{`{"error_message":"oom"}`, false, false, "oom", true},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			var update client.RemediationUpdate
			if err := json.Unmarshal([]byte(test.text), &update); err != nil {
				t.Fatal(err)
			}
			field := update.ErrorMessage
			value, present := field.Get()
			if field.IsZero() != test.absent || field.IsNull() != test.null || value != test.value || present != test.present {
				t.Errorf("absent %t, null %t, value %q, present %t", field.IsZero(), field.IsNull(), value, present)
			}
			if back, err := json.Marshal(update); err != nil || string(back) != test.text {
				t.Errorf("written again: %s, %v", back, err)
			}
		})
	}
	t.Run("wrong type", func(t *testing.T) {
		t.Parallel()
		if err := json.Unmarshal([]byte(`{"error_message":7}`), new(client.RemediationUpdate)); err == nil {
			t.Error("a number was decoded as a string")
		}
	})
}
