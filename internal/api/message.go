package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// MaxMessage is the largest message, in bytes: SQS's own limit, 1 MiB (AWS Compute Blog, "More room to build", January 2026).
const MaxMessage = 1 << 20

// MaxMessageRecords is how many records the array of a message may hold.
const MaxMessageRecords = 1000

// Message is what an SQS message holds.
type Message struct {
	// Array says that the items came as an array: each of them stands for itself. Else there is one.
	Array bool
	Items []MessageItem
}

// MessageItem is one record of a message, not yet decoded.
type MessageItem struct {
	// Text is the record with its kind, as it was sent: secrets included.
	Text json.RawMessage
	path string
}

// OpenMessage finds the records in the body of an SQS message: a record {"kind", "record"}, an array of these, or a CloudEvent in
// structured mode (specversion 1.0) with either as its data. The error is about the message as a whole.
func OpenMessage(body string) (Message, error) {
	text := []byte(body)
	if len(text) > MaxMessage {
		return Message{}, audit.ValidationErrors{{Code: audit.CodeSize, Detail: fmt.Sprintf("larger than %d bytes", MaxMessage)}}
	}
	data, path, err := openCloudEvent(text)
	if err != nil {
		return Message{}, err
	}
	if !isArray(data) {
		if !jsontext.Value(data).IsValid(lenient...) {
			return Message{}, malformed(text)
		}
		return Message{Items: []MessageItem{{Text: data, path: path}}}, nil
	}
	return openArray(data, path)
}

// Decode reads the record, checked and sanitised. What was done to its texts is counted in actions.
func (i MessageItem) Decode(actions redact.Actions) (audit.Record, error) {
	tree, faults := audit.ParseJSON(i.Text, audit.JSONLimits{Bytes: MaxMessage, Depth: maxDepth}, actions)
	if faults != nil {
		for at := range faults {
			faults[at].Field = below(i.path, faults[at].Field)
		}
		return nil, faults
	}
	f := newFields(tree, below(i.path, "."), &faults)
	kind, record := f.text("kind"), f.required("record")
	f.finish()
	if record == nil || faults != nil {
		return nil, faults.Err()
	}
	decoded, err := readKind(audit.Kind(kind), newFields(record, f.path+"record.", &faults), actions)
	if err != nil {
		return nil, err
	}
	return decoded, nil
}

// malformed says what is wrong with a text that is no JSON.
func malformed(text []byte) error {
	_, faults := audit.ParseJSON(text, audit.JSONLimits{Bytes: MaxMessage, Depth: maxDepth}, redact.Actions{})
	if len(faults) == 0 {
		faults.Add("", audit.CodeMalformed, "must be one JSON value")
	}
	return faults
}

func isArray(text []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("[")) }

func isObject(text []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) }

// openCloudEvent answers the data of a CloudEvent and its path, and any other JSON as it is.
func openCloudEvent(text []byte) (data []byte, path string, err error) {
	if !isObject(text) || !bytes.Contains(text, []byte(`"specversion"`)) {
		return text, "", nil
	}
	members, err := members(text)
	if _, is := members["specversion"]; !is || err != nil {
		return text, "", err
	}
	if faults := checkCloudEvent(members); faults != nil {
		return nil, "", faults
	}
	return members["data"], "data", nil
}

// members are the members of a JSON object, by name, as they were sent.
func members(text []byte) (map[string]json.RawMessage, error) {
	var faults audit.ValidationErrors
	all := map[string]json.RawMessage{}
	decoder := newDecoder(text)
	_, err := decoder.ReadToken() // the brace
	for err == nil && decoder.PeekKind() != jsontext.KindEndObject {
		var name jsontext.Token
		if name, err = decoder.ReadToken(); err != nil {
			break
		}
		key := name.String()
		if _, twice := all[key]; twice {
			faults.Add(audit.FieldPath("", key), audit.CodeDuplicate, "the same key twice in one object")
		}
		all[key], err = readValue(decoder, text)
	}
	if err = errors.Join(err, finish(decoder)); err != nil {
		return nil, malformed(text)
	}
	return all, faults.Err()
}

// lenient leaves to audit.ParseJSON what that makes faults of, or replaces.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

func newDecoder(text []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(text), lenient...)
}

// readValue is the text of the decoder's next value within the text that it reads.
func readValue(decoder *jsontext.Decoder, text []byte) (json.RawMessage, error) {
	value, err := decoder.ReadValue()
	end := decoder.InputOffset()
	return text[end-int64(len(value)) : end], err
}

// finish reads the end of the outermost array or object, and that nothing is behind it.
func finish(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind the value")
	}
	return nil
}

// checkCloudEvent holds an envelope to what CloudEvents 1.0.2 requires of it. Other attributes may have any name and value.
func checkCloudEvent(members map[string]json.RawMessage) audit.ValidationErrors {
	var faults audit.ValidationErrors
	attributes := map[string]any{}
	for name, text := range members {
		var value any
		if err := json.Unmarshal(text, &value); err == nil && name != "data" {
			attributes[name] = value
		}
	}
	f := newFields(attributes, "", &faults)
	for _, name := range []string{"id", "source", "type"} {
		if value := f.text(name); value == "" && attributes[name] == "" {
			f.fault(name, audit.CodeEmpty, "must not be empty")
		}
	}
	if version := f.text("specversion"); version != "1.0" && attributes["specversion"] == version {
		f.fault("specversion", audit.CodeUnsupported, "must be 1.0")
	}
	if media := f.optionalText("datacontenttype"); media != nil && !isJSON(*media) {
		f.fault("datacontenttype", audit.CodeUnsupported, "must be application/json, or end in +json")
	}
	switch data := members["data"]; {
	case f.has("data_base64"):
		f.fault("data_base64", audit.CodeUnsupported, "data must be JSON")
	case data == nil, string(data) == "null":
		f.fault("data", audit.CodeRequired, "must be given")
	}
	return faults
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

func openArray(text []byte, path string) (Message, error) {
	message := Message{Array: true}
	decoder := newDecoder(text)
	_, err := decoder.ReadToken() // the bracket
	for err == nil && decoder.PeekKind() != jsontext.KindEndArray {
		var item json.RawMessage
		item, err = readValue(decoder, text)
		message.Items = append(message.Items, MessageItem{Text: item, path: fmt.Sprintf("%s[%d]", path, len(message.Items))})
	}
	if err = errors.Join(err, finish(decoder)); err != nil {
		return Message{}, malformed(text)
	}
	if len(message.Items) == 0 || len(message.Items) > MaxMessageRecords {
		return Message{}, audit.ValidationErrors{{
			Field: path, Code: audit.CodeSize, Detail: fmt.Sprintf("must hold 1 to %d records", MaxMessageRecords),
		}}
	}
	return message, nil
}

// below is the path of a field under another path; "." for what is to stand before the names of fields.
func below(path, field string) string {
	switch {
	case path == "":
		return strings.TrimPrefix(field, ".")
	case field == "", field == ".", strings.HasPrefix(field, "["):
		return path + field
	default:
		return path + "." + field
	}
}

func readKind(kind audit.Kind, f *fields, actions redact.Actions) (audit.Record, error) {
	switch kind {
	case audit.KindRemediation:
		return readRemediation(f, actions)
	case audit.KindUpdate:
		return readUpdate(f, f.text("remediation_id"), actions)
	case audit.KindAIAnalysis:
		return readAIAnalysis(f, f.text("remediation_id"), actions)
	case audit.KindWorkflow:
		return readWorkflow(f, f.text("remediation_id"), actions)
	case audit.KindExecution:
		return readExecution(f, f.text("remediation_id"), actions)
	default:
		path := strings.TrimSuffix(f.path, "record.") + "kind"
		return nil, audit.ValidationErrors{{Field: path, Code: audit.CodeEnum, Detail: "must be one of remediation, update, ai_analysis, workflow, execution"}}
	}
}

// ReportMessageErrors counts the faults of a message's record, each by its field, and those of what is around it as the whole's.
func ReportMessageErrors(ctx context.Context, err error) {
	for _, fault := range faultsOf(err) {
		telemetry.Add(ctx, telemetry.ValidationFailures, 1, messageField(fault.Field))
	}
}

// Reason is the error of a message's record for the log: faults without the names that the sender made up, which may be secrets, and
// what a dependency says without the secrets that it may quote.
func Reason(err error) string {
	faults := faultsOf(err)
	if faults == nil {
		return redact.Text(err.Error(), redact.Actions{})
	}
	parts := make([]string, len(faults))
	for i, fault := range faults {
		parts[i] = strings.TrimPrefix(knownPath(fault.Field)+": "+fault.Detail, ": ")
	}
	return strings.Join(parts, "; ")
}

// envelope has the names of what is around a message's record.
var envelope = []string{"data", "data_base64", "datacontenttype", "id", "kind", "record", "source", "specversion", "type"}

// knownPath is a field's path as far as it consists of this service's names and of numbers.
func knownPath(path string) string {
	for at := 0; at < len(path); {
		part := path[at:]
		if end := strings.IndexAny(part[1:], ".["); end >= 0 {
			part = part[:end+1]
		}
		name := strings.Trim(part, ".[]")
		_, err := strconv.Atoi(name)
		if err != nil && !slices.Contains(requestFields, name) && !slices.Contains(envelope, name) {
			return path[:at] + "…"
		}
		at += len(part)
	}
	return path
}

func messageField(path string) string {
	if _, within, found := strings.Cut(path, "record."); found {
		return faultField(within)
	}
	return wholeRequest
}
