package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// MaxMessage is the largest message, in bytes: the limit of SQS, 1 MiB (AWS Compute Blog, "More
// room to build", January 2026).
const MaxMessage = 1 << 20

// MaxMessageRecords is the largest number of records in a message.
const MaxMessageRecords = 1000

// Message is the content of an SQS message.
type Message struct {
	// Array is set if the message is an array, whose items are stored independently. Otherwise
	// there is one item.
	Array bool
	Items []MessageItem
}

// MessageItem is one record of a message before decoding.
type MessageItem struct {
	// Text is the record with its kind as sent, secrets included.
	Text json.RawMessage
	path string // in the message
}

// OpenMessage finds the records in the body of an SQS message: a record {"kind", "record"}, an
// array of records, or a CloudEvent in structured mode (specversion 1.0) with either as its data.
// An error concerns the message as a whole.
func OpenMessage(body string) (Message, error) {
	text := []byte(body)
	if len(text) > MaxMessage {
		return Message{}, audit.ValidationErrors{{Code: audit.CodeSize, Detail: fmt.Sprintf("must not be larger than %d bytes", MaxMessage)}}
	}
	data, path, err := openCloudEvent(text)
	if err != nil {
		return Message{}, err
	}
	if !startsWithArray(data) {
		if !jsontext.Value(data).IsValid(lenientOptions...) {
			return Message{}, malformedError(text)
		}
		return Message{Items: []MessageItem{{Text: data, path: path}}}, nil
	}
	return openMessageArray(data, path)
}

func openMessageArray(text []byte, path string) (Message, error) {
	message := Message{Array: true}
	decoder := newLenientDecoder(text)
	_, err := decoder.ReadToken() // the opening bracket
	for err == nil && decoder.PeekKind() != jsontext.KindEndArray {
		var item json.RawMessage
		item, err = readRawValue(decoder, text)
		message.Items = append(message.Items, MessageItem{Text: item, path: fmt.Sprintf("%s[%d]", path, len(message.Items))})
	}
	if err = errors.Join(err, readClosing(decoder)); err != nil {
		return Message{}, malformedError(text)
	}
	if len(message.Items) == 0 || len(message.Items) > MaxMessageRecords {
		return Message{}, audit.ValidationErrors{{
			Field: path, Code: audit.CodeSize, Detail: fmt.Sprintf("must have 1 to %d records", MaxMessageRecords),
		}}
	}
	return message, nil
}

// Decode reads, checks and redacts the record. What it redacts or replaces is counted in actions.
func (i MessageItem) Decode(actions redact.Actions) (audit.Record, error) {
	tree, errs := audit.ParseJSON(i.Text, audit.JSONLimits{Bytes: MaxMessage, Depth: maxDepth}, actions)
	if errs != nil {
		for n := range errs {
			errs[n].Field = joinFieldPath(i.path, errs[n].Field)
		}
		return nil, errs
	}
	f := newFieldReader(tree, joinFieldPath(i.path, "."), &errs)
	kind, record := f.readString("kind"), f.readRequired("record")
	f.reportUnread()
	if record == nil || errs != nil {
		return nil, errs.Err()
	}
	decoded, err := readRecordOfKind(audit.Kind(kind), newFieldReader(record, f.path+"record.", &errs), actions)
	if err != nil {
		return nil, err
	}
	return decoded, nil
}

func readRecordOfKind(kind audit.Kind, f *fieldReader, actions redact.Actions) (audit.Record, error) {
	switch kind {
	case audit.KindRemediation:
		return readRemediation(f, actions)
	case audit.KindUpdate:
		return readUpdate(f, f.readString("remediation_id"), actions)
	case audit.KindAIAnalysis:
		return readAIAnalysis(f, f.readString("remediation_id"), actions)
	case audit.KindWorkflow:
		return readWorkflow(f, f.readString("remediation_id"), actions)
	case audit.KindExecution:
		return readExecution(f, f.readString("remediation_id"), actions)
	default:
		path := strings.TrimSuffix(f.path, "record.") + "kind"
		return nil, audit.ValidationErrors{{
			Field: path, Code: audit.CodeEnum, Detail: "must be one of remediation, update, ai_analysis, workflow, execution",
		}}
	}
}

// joinFieldPath returns the path of a field below another path. The field "." makes a prefix for names
// of fields.
func joinFieldPath(path, field string) string {
	switch {
	case path == "":
		return strings.TrimPrefix(field, ".")
	case field == "", field == ".", strings.HasPrefix(field, "["):
		return path + field
	default:
		return path + "." + field
	}
}

// ReportMessageErrors counts the validation errors of a message by field. Errors outside its
// records count as those of the whole message.
func ReportMessageErrors(ctx context.Context, err error) {
	for _, invalid := range findValidationErrors(err) {
		telemetry.Add(ctx, telemetry.ValidationFailures, 1, messageMetricField(invalid.Field))
	}
}

func messageMetricField(path string) string {
	if _, within, found := strings.Cut(path, "record."); found {
		return metricField(within)
	}
	return wholeRequest
}

// Reason formats the error of a message's record for the log, without potential secrets: names
// chosen by the sender, and values quoted by a dependency.
func Reason(err error) string {
	errs := findValidationErrors(err)
	if errs == nil {
		return redact.Text(err.Error(), redact.Actions{})
	}
	parts := make([]string, len(errs))
	for i, invalid := range errs {
		parts[i] = strings.TrimPrefix(trimUnknownNames(invalid.Field)+": "+invalid.Detail, ": ")
	}
	return strings.Join(parts, "; ")
}

// envelopeNames are the names around the records of a message.
var envelopeNames = []string{"data", "data_base64", "datacontenttype", "id", "kind", "record", "source", "specversion", "type"}

// trimUnknownNames cuts a path before the first name that is not in openapi.yaml.
func trimUnknownNames(path string) string {
	for start := 0; start < len(path); {
		part := path[start:]
		if end := strings.IndexAny(part[1:], ".["); end >= 0 {
			part = part[:end+1]
		}
		name := strings.Trim(part, ".[]")
		_, err := strconv.Atoi(name)
		if err != nil && !slices.Contains(requestFields, name) && !slices.Contains(envelopeNames, name) {
			return path[:start] + "…"
		}
		start += len(part)
	}
	return path
}
