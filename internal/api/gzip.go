package api

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// minCompressed is the size in bytes up to which a response is not compressed: it fits into one
// packet of Ethernet (1,500 bytes) as it is.
const minCompressed = 1400

// decodeBody replaces the body of the event by its plain form: without API Gateway's base64 and the
// caller's Content-Encoding. It decompresses at most MaxBody bytes.
func (r *Request) decodeBody() error {
	if r.event.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(r.event.Body)
		if err != nil {
			return fmt.Errorf("decode the event's base64 body: %w", err)
		}
		r.event.Body = string(body)
	}
	switch encoding := r.headerValue("Content-Encoding"); {
	case encoding == "", strings.EqualFold(encoding, "identity"):
		return nil
	case strings.EqualFold(encoding, "gzip"), strings.EqualFold(encoding, "x-gzip"):
		body, err := decompress(r.event.Body)
		r.event.Body = body
		return err
	}
	return errContentEncoding
}

// decompress returns the content of a gzip stream of at most MaxBody bytes.
func decompress(compressed string) (string, error) {
	reader, err := gzip.NewReader(strings.NewReader(compressed))
	if err != nil {
		return "", errNotGzip
	}
	body, err := io.ReadAll(io.LimitReader(reader, MaxBody+1))
	switch {
	case err != nil:
		return "", errNotGzip
	case len(body) > MaxBody:
		return "", errTooLarge
	}
	return string(body), nil
}

var errNotGzip = audit.ValidationErrors{{Code: audit.CodeMalformed, Detail: "is not gzip, as its Content-Encoding says"}}

// compress returns a gzip stream, fast rather than small.
func compress(body []byte) []byte {
	var compressed bytes.Buffer
	// The level is valid, and a buffer takes every write.
	writer, _ := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
	_, _ = writer.Write(body)
	_ = writer.Close()
	return compressed.Bytes()
}

// acceptsGzip reports whether an Accept-Encoding names gzip, or *, with a weight that is not zero
// (RFC 9110, section 12.5.3).
func acceptsGzip(accepted string) bool {
	wildcard := false
	for item := range strings.SplitSeq(strings.ToLower(accepted), ",") {
		coding, weight, _ := strings.Cut(strings.ReplaceAll(item, " ", ""), ";")
		refused := strings.HasPrefix(weight, "q=0") && strings.Trim(weight[len("q=0"):], ".0") == ""
		switch coding {
		case "gzip", "x-gzip":
			return !refused
		case "*":
			wildcard = !refused
		}
	}
	return wildcard
}
