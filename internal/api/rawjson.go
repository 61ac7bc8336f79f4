package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
)

func startsWithArray(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("["))
}

func startsWithObject(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
}

// lenientOptions accepts what audit.ParseJSON reports or replaces.
var lenientOptions = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

func newLenientDecoder(text []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(text), lenientOptions...)
}

// readRawValue returns the decoder's next value as a part of text, which the decoder reads.
func readRawValue(decoder *jsontext.Decoder, text []byte) (json.RawMessage, error) {
	value, err := decoder.ReadValue()
	end := decoder.InputOffset()
	return text[end-int64(len(value)) : end], err
}

// readClosing reads the end of the outermost array or object, which must be the end of the text.
func readClosing(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("unexpected data after the JSON value")
	}
	return nil
}

// malformedError returns the reason why text is not JSON.
func malformedError(text []byte) error {
	_, errs := audit.ParseJSON(text, audit.JSONLimits{Bytes: MaxMessage, Depth: maxDepth}, redact.Actions{})
	if len(errs) == 0 {
		errs.Add("", audit.CodeMalformed, "must be one JSON value")
	}
	return errs
}
