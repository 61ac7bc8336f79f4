package audit

import (
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"github.com/datastorage-service/datastorage/internal/jcs"
)

// TestDocument checks that values without a canonical form and fields out of order are rejected.
func TestDocument(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*document){
		"not a number":    func(d *document) { d.writeNumber("a", new(math.NaN())) },
		"infinity":        func(d *document) { d.writeNumber("a", new(math.Inf(-1))) },
		"integer too far": func(d *document) { d.writeInteger("a", new(int64(1<<53+1))) },
		"invalid utf-8":   func(d *document) { d.writeString("a", "\xff") },
		"order":           func(d *document) { d.writeString("b", ""); d.writeString("a", "") },
		"twice":           func(d *document) { d.writeNull("a"); d.writeNull("a") },
	} {
		var d document
		if write(&d); !errors.Is(d.err, jcs.ErrNotCanonical) {
			t.Errorf("%s: %v", name, d.err)
		}
	}
	var d document
	d.writeBoolean("a", true)
	d.writeInteger("b", new(int64(-1<<53)))
	d.writeNumber("c", new(0.5))
	d.writeNull("d")
	if got := string(d.out); d.err != nil || got != `"a":true,"b":-9007199254740992,"c":0.5,"d":null` {
		t.Errorf("%s, %v", got, d.err)
	}
}

// TestLeafHash compares with RFC 6962's definition for an empty and a short leaf, computed with
// coreutils: printf '\0' | sha256sum, and printf '\0{}' | sha256sum.
func TestLeafHash(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":   "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"{}": "28a3a18f6cd6406b086e9ffda1f9b8a13dbcf44b0f3f32cb9031a11fd053acf9",
	} {
		sum := LeafHash([]byte(text))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("LeafHash(%q) = %s, want %s", text, got, want)
		}
	}
}
