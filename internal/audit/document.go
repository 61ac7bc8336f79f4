package audit

import (
	"fmt"
	"strconv"
	"time"

	"github.com/datastorage-service/datastorage/internal/jcs"
)

// document writes the fields of a record as the members of a JSON object in canonical form. Fields
// must be written in the order of their names; absent fields are omitted.
type document struct {
	out       []byte
	lastField string
	// inexact has the metadata's numbers that lose digits in canonical form, by JSON Pointer within
	// the record.
	inexact map[string]string
	err     error
}

func (d *document) writeFieldName(field string) {
	if d.lastField != "" {
		d.out = append(d.out, ',')
	}
	if field <= d.lastField {
		d.err = fmt.Errorf("%s after %s: %w", field, d.lastField, jcs.ErrNotCanonical)
	}
	d.lastField = field
	d.out = append(jcs.AppendQuote(d.out, field), ':')
}

// setOutput stores the result of appending a value to out, or the error.
func (d *document) setOutput(out []byte, err error) {
	if err != nil {
		d.err = err
		return
	}
	d.out = out
}

func (d *document) writeString(field, value string) {
	d.writeFieldName(field)
	d.setOutput(jcs.AppendString(d.out, value))
}

func (d *document) writeOptional(field string, value *string) {
	if value != nil {
		d.writeString(field, *value)
	}
}

// writeClearable writes a field of an update: null if it is cleared.
func (d *document) writeClearable(field string, value Optional[string]) {
	d.writeOptional(field, value.Value)
	if value.Set && value.Value == nil {
		d.writeNull(field)
	}
}

func (d *document) writeNull(field string) {
	d.writeFieldName(field)
	d.out = append(d.out, "null"...)
}

func (d *document) writeBoolean(field string, value bool) {
	d.writeFieldName(field)
	d.out = strconv.AppendBool(d.out, value)
}

func (d *document) writeTime(field string, t *time.Time) {
	if t != nil {
		d.writeFieldName(field)
		d.out = append(t.UTC().AppendFormat(append(d.out, '"'), timeLayout), '"')
	}
}

func (d *document) writeInteger(field string, n *int64) {
	if n != nil {
		d.writeFieldName(field)
		d.setOutput(jcs.AppendInteger(d.out, *n))
	}
}

func (d *document) writeNumber(field string, f *float64) {
	if f != nil {
		d.writeFieldName(field)
		d.setOutput(jcs.AppendNumber(d.out, *f))
	}
}

// writeMetadata writes the metadata unless it is "", as in an update that does not change it.
func (d *document) writeMetadata(m Metadata) {
	const field = "metadata"
	if m == "" {
		return
	}
	d.writeFieldName(field)
	out, exact, err := jcs.AppendFormatted(d.out, string(m))
	if err == nil && !exact {
		err = d.recordInexact("/"+field, m)
	}
	d.setOutput(out, err)
}

// recordInexact adds the metadata's numbers that lose digits. It parses the metadata, so it is
// called only for records with such numbers.
func (d *document) recordInexact(path string, m Metadata) error {
	tree, err := m.parseMetadataTree()
	if err != nil {
		return err
	}
	d.inexact = map[string]string{}
	for pointer, literal := range jcs.InexactNumbers(tree) {
		d.inexact[path+pointer] = literal
	}
	return nil
}
