package api

import (
	"errors"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/audit"
)

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for accepted, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "deflate, gzip;q=0.5, br": true, "gzip;q=0": false, "gzip; q=0.000": false,
		"gzip;q=0.001": true, "*": true, "*;q=0": false, "*, gzip;q=0": false, "*;q=0, gzip": true, "br": false, "gzipped": false, "identity": false,
	} {
		if got := acceptsGzip(accepted); got != want {
			t.Errorf("%q: %t, want %t", accepted, got, want)
		}
	}
}

// TestDecompress checks the bound: a stream of a few kilobytes can hold gigabytes.
func TestDecompress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		compressed string
		size       int
		err        error
	}{
		"empty":         {string(compress(nil)), 0, nil},
		"the largest":   {string(compress(make([]byte, MaxBody))), MaxBody, nil},
		"one byte more": {string(compress(make([]byte, MaxBody+1))), 0, errTooLarge},
		"far more":      {string(compress(make([]byte, 100*MaxBody))), 0, errTooLarge},
		"two streams":   {string(compress([]byte("a"))) + string(compress([]byte("b"))), 2, nil},
		"cut":           {string(compress([]byte(strings.Repeat("ab", 99))))[:20], 0, audit.ValidationErrors{}},
		"no gzip":       {"{}", 0, audit.ValidationErrors{}},
		"nothing":       {"", 0, audit.ValidationErrors{}},
	} {
		body, err := decompress(c.compressed)
		_, invalid := errors.AsType[audit.ValidationErrors](err)
		_, wantInvalid := errors.AsType[audit.ValidationErrors](c.err)
		if len(body) != c.size || invalid != wantInvalid || !wantInvalid && !errors.Is(err, c.err) {
			t.Errorf("%s: %d bytes, %v; want %d, %v", name, len(body), err, c.size, c.err)
		}
	}
}
