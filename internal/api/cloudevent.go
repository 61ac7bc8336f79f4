package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// openCloudEvent returns the data of a CloudEvent and its path, or any other JSON unchanged with an
// empty path.
func openCloudEvent(text []byte) (data []byte, path string, err error) {
	if !startsWithObject(text) || !bytes.Contains(text, []byte(`"specversion"`)) {
		return text, "", nil
	}
	members, err := readMembers(text)
	if _, found := members["specversion"]; !found || err != nil {
		return text, "", err
	}
	if errs := checkCloudEvent(members); errs != nil {
		return nil, "", errs
	}
	return members["data"], "data", nil
}

// readMembers returns the members of a JSON object by name, unparsed.
func readMembers(text []byte) (map[string]json.RawMessage, error) {
	var errs audit.ValidationErrors
	all := map[string]json.RawMessage{}
	decoder := newLenientDecoder(text)
	_, err := decoder.ReadToken() // the opening brace
	for err == nil && decoder.PeekKind() != jsontext.KindEndObject {
		var name jsontext.Token
		if name, err = decoder.ReadToken(); err != nil {
			break
		}
		key := name.String()
		if _, repeated := all[key]; repeated {
			errs.Add(audit.FieldPath("", key), audit.CodeDuplicate, "duplicate key")
		}
		all[key], err = readRawValue(decoder, text)
	}
	if err = errors.Join(err, readClosing(decoder)); err != nil {
		return nil, malformedError(text)
	}
	return all, errs.Err()
}

// checkCloudEvent checks the attributes that CloudEvents 1.0.2 requires. Other attributes may have
// any name and value.
func checkCloudEvent(members map[string]json.RawMessage) audit.ValidationErrors {
	var errs audit.ValidationErrors
	attributes := map[string]any{}
	for name, text := range members {
		var value any
		if err := json.Unmarshal(text, &value); err == nil && name != "data" {
			attributes[name] = value
		}
	}
	f := newFieldReader(attributes, "", &errs)
	for _, name := range []string{"id", "source", "type"} {
		if value := f.readString(name); value == "" && attributes[name] == "" {
			f.addError(name, audit.CodeEmpty, "must not be empty")
		}
	}
	if version := f.readString("specversion"); version != "1.0" && attributes["specversion"] == version {
		f.addError("specversion", audit.CodeUnsupported, "must be 1.0")
	}
	if media := f.readOptionalString("datacontenttype"); media != nil && !isJSONMediaType(*media) {
		f.addError("datacontenttype", audit.CodeUnsupported, "must be application/json or end in +json")
	}
	switch data := members["data"]; {
	case f.hasMember("data_base64"):
		f.addError("data_base64", audit.CodeUnsupported, "is not supported; send JSON in data")
	case data == nil, string(data) == "null":
		f.addError("data", audit.CodeRequired, "is required")
	}
	return errs
}

func isJSONMediaType(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}
