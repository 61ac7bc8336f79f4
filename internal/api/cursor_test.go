package api

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
)

func cursorKey() []byte { return []byte("0123456789abcdef0123456789abcdef") }

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	tests := []cursorPosition{
		rowCursorPosition(at, 1),
		rowCursorPosition(audit.MinTime, 1<<62),
		rowCursorPosition(audit.MaxTime.Add(-time.Microsecond), 7),
		{time: at, key: audit.NewID(at)},
	}
	for _, want := range tests {
		got, ok := verifyCursor(cursorKey(), "b", encodeCursor(cursorKey(), "b", want))
		if !ok || got != want {
			t.Errorf("%v was decoded as %v, %v", want, got, ok)
		}
	}
	if got := rowCursorPosition(at, 42).rowPosition(); got.ID != 42 || !got.Time.Equal(at) {
		t.Errorf("position %v", got)
	}
}

func TestForeignCursorIsRefused(t *testing.T) {
	t.Parallel()
	sealed := encodeCursor(cursorKey(), "/v1/remediations?name=a", rowCursorPosition(time.Unix(0, 0), 1))
	if _, ok := verifyCursor(cursorKey(), "/v1/remediations?name=b", sealed); ok {
		t.Error("a cursor for other filters was accepted")
	}
	if _, ok := verifyCursor([]byte("another key of thirty-two bytes!"), "/v1/remediations?name=a", sealed); ok {
		t.Error("a cursor of another database was accepted")
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 1
		if _, ok := verifyCursor(cursorKey(), "/v1/remediations?name=a", base64.RawURLEncoding.EncodeToString(raw)); ok {
			t.Errorf("a cursor with byte %d changed was accepted", i)
		}
		raw[i] ^= 1
	}
}

// FuzzCursor looks for a string that verifyCursor accepts although encodeCursor did not make it.
func FuzzCursor(f *testing.F) {
	sealed := encodeCursor(cursorKey(), "b", rowCursorPosition(time.Unix(0, 0), 1))
	for _, seed := range []string{"", "AQ", sealed, sealed + "=", sealed[1:], sealed + sealed, "%00", "日本"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		at, ok := verifyCursor(cursorKey(), "b", cursor)
		if ok && encodeCursor(cursorKey(), "b", at) != cursor {
			t.Errorf("%q was accepted as %v", cursor, at)
		}
	})
}
