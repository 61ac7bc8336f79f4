package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/datastorage-service/datastorage/internal/audit"
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
		return Message{}, audit.Faults{{Code: audit.CodeSize, Detail: fmt.Sprintf("larger than %d bytes", MaxMessage)}}
	}
	if !json.Valid(text) {
		return Message{}, malformed(text)
	}
	data, path, err := openCloudEvent(text)
	if err != nil {
		return Message{}, err
	}
	if !isArray(data) {
		return Message{Items: []MessageItem{{Text: data, path: path}}}, nil
	}
	return openArray(data, path)
}

// Decode reads the record, checked and sanitised. What was done to its texts is counted in actions.
func (i MessageItem) Decode(actions audit.Actions) (audit.Record, error) {
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
	_, faults := audit.ParseJSON(text, audit.JSONLimits{Bytes: MaxMessage, Depth: maxDepth}, audit.Actions{})
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
	var faults audit.Faults
	all := map[string]json.RawMessage{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	_, err := decoder.Token() // the brace
	for err == nil && decoder.More() {
		var key json.Token
		var value json.RawMessage
		if key, err = decoder.Token(); err != nil {
			break
		}
		err = decoder.Decode(&value)
		name, _ := key.(string)
		if _, twice := all[name]; twice {
			faults.Add(audit.FieldPath("", name), audit.CodeDuplicate, "the same key twice in one object")
		}
		all[name] = value
	}
	if err != nil {
		return nil, fmt.Errorf("read the members of an object: %w", err)
	}
	return all, faults.Err()
}

// checkCloudEvent holds an envelope to what CloudEvents 1.0.2 requires of it. Other attributes may have any name and value.
func checkCloudEvent(members map[string]json.RawMessage) audit.Faults {
	var faults audit.Faults
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
	items := split(text)
	if len(items) == 0 || len(items) > MaxMessageRecords {
		return Message{}, audit.Faults{{
			Field: path, Code: audit.CodeSize, Detail: fmt.Sprintf("must hold 1 to %d records", MaxMessageRecords),
		}}
	}
	message := Message{Array: true, Items: make([]MessageItem, len(items))}
	for i, item := range items {
		message.Items[i] = MessageItem{Text: item, path: fmt.Sprintf("%s[%d]", path, i)}
	}
	return message, nil
}

// split cuts an array, which must be valid JSON, into the texts of its items. encoding/json would look at every byte twice more.
func split(array []byte) (items []json.RawMessage) {
	depth, begin := 0, 0
	for at := 0; at < len(array); at++ {
		switch array[at] {
		case '"':
			at = closingQuote(array, at)
		case '[', '{':
			if depth++; depth == 1 {
				begin = at + 1
			}
		case ']', '}':
			depth--
			if item := bytes.TrimSpace(array[begin:at]); depth == 0 && len(item) > 0 {
				items = append(items, item)
			}
		case ',':
			if depth == 1 {
				items = append(items, bytes.TrimSpace(array[begin:at]))
				begin = at + 1
			}
		}
	}
	return items
}

// closingQuote is the place of the quote that ends the text which begins at open.
func closingQuote(text []byte, open int) int {
	for at := open + 1; ; at++ {
		switch text[at] {
		case '"':
			return at
		case '\\':
			at++
		}
	}
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

func readKind(kind audit.Kind, f *fields, actions audit.Actions) (audit.Record, error) {
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
		return nil, audit.Faults{{Field: path, Code: audit.CodeEnum, Detail: "must be one of remediation, update, ai_analysis, workflow, execution"}}
	}
}

// ReportMessageFaults counts the faults of a message's record, each by its field, and those of what is around it as the whole's.
func ReportMessageFaults(ctx context.Context, err error) {
	for _, fault := range faultsOf(err) {
		telemetry.Add(ctx, telemetry.ValidationFailures, 1, messageField(fault.Field))
	}
}

// Reason is the error of a message's record for the log: faults without the names that the sender made up, which may be secrets, and
// what a dependency says without the secrets that it may quote.
func Reason(err error) string {
	faults := faultsOf(err)
	if faults == nil {
		return audit.SanitizeText(err.Error(), audit.Actions{})
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
	known := telemetry.ValidationFailures.ClosedSet("field")
	for at := 0; at < len(path); {
		part := path[at:]
		if end := strings.IndexAny(part[1:], ".["); end >= 0 {
			part = part[:end+1]
		}
		name := strings.Trim(part, ".[]")
		_, err := strconv.Atoi(name)
		if err != nil && !slices.Contains(known, name) && !slices.Contains(envelope, name) {
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
	return telemetry.WholeRequest
}
