package audit

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// ID is a UUID (RFC 9562): version 7 for journal events, version 8 (made from a hash) for
// signatures.
type ID [16]byte

// NewID returns a version 7 UUID. Its first 48 bits are t in Unix milliseconds, so IDs sort by
// time; 74 of the others are random (RFC 9562, section 5.7).
func NewID(t time.Time) ID {
	var id ID
	// Since Go 1.24, crypto/rand.Read never returns an error; it ends the program instead.
	_, _ = rand.Read(id[6:])
	ms := uint64(t.UnixMilli())
	binary.BigEndian.PutUint16(id[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(id[2:], uint32(ms))
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// String returns the ID in the 8-4-4-4-12 form in lower case.
func (id ID) String() string {
	var out [36]byte
	hex.Encode(out[0:8], id[0:4])
	hex.Encode(out[9:13], id[4:6])
	hex.Encode(out[14:18], id[6:8])
	hex.Encode(out[19:23], id[8:10])
	hex.Encode(out[24:36], id[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// MarshalText returns String, for JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

var errNotUUID = errors.New("not a UUID")

// ParseID parses the 8-4-4-4-12 form in upper or lower case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, errNotUUID
	}
	digits := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, errNotUUID
	}
	return id, nil
}
