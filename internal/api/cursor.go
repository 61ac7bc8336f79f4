package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// A cursor is base64url of version, time in microseconds (8 bytes), the row's key (16 bytes), and the first 16 bytes of an HMAC-SHA256
// over those and over what the cursor belongs to: path, filters and order. The key is the database's, so a caller cannot make one.
const (
	cursorVersion = 1
	cursorPayload = 1 + 8 + 16
	cursorMAC     = 16
)

// place is where a page ended: a time, and the key that breaks ties.
type place struct {
	time time.Time
	key  audit.ID
}

func rowPlace(t time.Time, id int64) place {
	p := place{time: t}
	binary.BigEndian.PutUint64(p.key[8:], uint64(id))
	return p
}

func (p place) position() *audit.Position {
	return &audit.Position{Time: p.time, ID: int64(binary.BigEndian.Uint64(p.key[8:]))}
}

func sealCursor(key []byte, binding string, p place) string {
	raw := make([]byte, 0, cursorPayload+cursorMAC)
	raw = append(raw, cursorVersion)
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.time.UnixMicro()))
	raw = append(raw, p.key[:]...)
	raw = append(raw, cursorSum(key, binding, raw)...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// openCursor answers the place, or false for a cursor that this service did not make for this request.
func openCursor(key []byte, binding, cursor string) (place, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) != cursorPayload+cursorMAC || raw[0] != cursorVersion {
		return place{}, false
	}
	payload, sum := raw[:cursorPayload], raw[cursorPayload:]
	if !hmac.Equal(sum, cursorSum(key, binding, payload)) {
		return place{}, false
	}
	micros := int64(binary.BigEndian.Uint64(payload[1:9]))
	return place{time: time.UnixMicro(micros).UTC(), key: audit.ID(payload[9:])}, true
}

func cursorSum(key []byte, binding string, payload []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(payload)
	mac.Write([]byte(binding))
	return mac.Sum(nil)[:cursorMAC]
}
