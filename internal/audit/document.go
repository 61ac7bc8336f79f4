package audit

import (
	"fmt"
	"strconv"
	"time"

	"github.com/datastorage-service/datastorage/internal/jcs"
)

// document writes a record's fields as the members of a JSON object in canonical form, so they must come in the order of their names.
// Absent fields have no member.
type document struct {
	out  []byte
	last string // field
	// inexact are the numbers of the metadata that the canonical form changes, by their place in the record.
	inexact map[string]string
	err     error
}

// beginField begins a field.
func (d *document) beginField(field string) {
	if d.last != "" {
		d.out = append(d.out, ',')
	}
	if field <= d.last {
		d.err = fmt.Errorf("%s behind %s: %w", field, d.last, jcs.ErrNotCanonical)
	}
	d.last = field
	d.out = append(jcs.AppendQuote(d.out, field), ':')
}

// endField ends a field with what the text is now, or with an error.
func (d *document) endField(out []byte, err error) {
	if err != nil {
		d.err = err
		return
	}
	d.out = out
}

func (d *document) writeString(field, value string) {
	d.beginField(field)
	d.endField(jcs.AppendString(d.out, value))
}

func (d *document) writeOptional(field string, value *string) {
	if value != nil {
		d.writeString(field, *value)
	}
}

// writeClearable is a field of an update: one that is cleared is null.
func (d *document) writeClearable(field string, value Optional[string]) {
	d.writeOptional(field, value.Value)
	if value.Set && value.Value == nil {
		d.writeNull(field)
	}
}

func (d *document) writeNull(field string) {
	d.beginField(field)
	d.out = append(d.out, "null"...)
}

func (d *document) writeBoolean(field string, value bool) {
	d.beginField(field)
	d.out = strconv.AppendBool(d.out, value)
}

func (d *document) writeTime(field string, t *time.Time) {
	if t != nil {
		d.beginField(field)
		d.out = append(t.UTC().AppendFormat(append(d.out, '"'), timeLayout), '"')
	}
}

func (d *document) writeInteger(field string, n *int64) {
	if n != nil {
		d.beginField(field)
		d.endField(jcs.AppendInteger(d.out, *n))
	}
}

func (d *document) writeNumber(field string, f *float64) {
	if f != nil {
		d.beginField(field)
		d.endField(jcs.AppendNumber(d.out, *f))
	}
}

// writeMetadata writes the field of that name, unless an update leaves it alone.
func (d *document) writeMetadata(m Metadata) {
	const field = "metadata"
	if m == "" {
		return
	}
	d.beginField(field)
	out, exact, err := jcs.AppendFormatted(d.out, string(m))
	if err == nil && !exact {
		err = d.recordInexact("/"+field, m)
	}
	d.endField(out, err)
}

// recordInexact keeps the digits that the canonical form loses. Metadata is read again for it, which nearly none needs.
func (d *document) recordInexact(path string, m Metadata) error {
	tree, err := m.parseTree()
	if err != nil {
		return err
	}
	d.inexact = map[string]string{}
	for pointer, literal := range jcs.InexactNumbers(tree) {
		d.inexact[path+pointer] = literal
	}
	return nil
}
