package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// A cursor is the base64url of a version, a time in microseconds (8 bytes), the key of the row (16
// bytes) and the first 16 bytes of an HMAC-SHA256 over these and the cursor's binding: path,
// filters and order. The key of the HMAC is in the database, so that callers cannot forge cursors.
const (
	cursorVersion     = 1
	cursorPayloadSize = 1 + 8 + 16
	cursorMACSize     = 16
)

// cursorPosition is where a page ended: a time, and a key that breaks ties.
type cursorPosition struct {
	time time.Time
	key  audit.ID
}

func rowCursorPosition(t time.Time, id int64) cursorPosition {
	p := cursorPosition{time: t}
	binary.BigEndian.PutUint64(p.key[8:], uint64(id))
	return p
}

func (p cursorPosition) rowPosition() *audit.Position {
	return &audit.Position{Time: p.time, ID: int64(binary.BigEndian.Uint64(p.key[8:]))}
}

func encodeCursor(key []byte, binding string, p cursorPosition) string {
	raw := make([]byte, 0, cursorPayloadSize+cursorMACSize)
	raw = append(raw, cursorVersion)
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.time.UnixMicro()))
	raw = append(raw, p.key[:]...)
	raw = append(raw, computeCursorMAC(key, binding, raw)...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// verifyCursor returns the position of a cursor; ok is false if this service did not make it for the
// binding.
func verifyCursor(key []byte, binding, cursor string) (position cursorPosition, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) != cursorPayloadSize+cursorMACSize || raw[0] != cursorVersion {
		return cursorPosition{}, false
	}
	payload, sum := raw[:cursorPayloadSize], raw[cursorPayloadSize:]
	if !hmac.Equal(sum, computeCursorMAC(key, binding, payload)) {
		return cursorPosition{}, false
	}
	micros := int64(binary.BigEndian.Uint64(payload[1:9]))
	return cursorPosition{time: time.UnixMicro(micros).UTC(), key: audit.ID(payload[9:])}, true
}

func computeCursorMAC(key []byte, binding string, payload []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(payload)
	mac.Write([]byte(binding))
	return mac.Sum(nil)[:cursorMACSize]
}
