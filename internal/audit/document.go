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

// name begins a field.
func (d *document) name(field string) {
	if d.last != "" {
		d.out = append(d.out, ',')
	}
	if field <= d.last {
		d.err = fmt.Errorf("%s behind %s: %w", field, d.last, jcs.ErrNotCanonical)
	}
	d.last = field
	d.out = append(jcs.AppendQuote(d.out, field), ':')
}

// value ends a field with what the text is now, or with an error.
func (d *document) value(out []byte, err error) {
	if err != nil {
		d.err = err
		return
	}
	d.out = out
}

func (d *document) text(field, value string) {
	d.name(field)
	d.value(jcs.AppendString(d.out, value))
}

func (d *document) optional(field string, value *string) {
	if value != nil {
		d.text(field, *value)
	}
}

// clearable is a field of an update: one that is cleared is null.
func (d *document) clearable(field string, value Optional[string]) {
	d.optional(field, value.Value)
	if value.Set && value.Value == nil {
		d.null(field)
	}
}

func (d *document) null(field string) {
	d.name(field)
	d.out = append(d.out, "null"...)
}

func (d *document) boolean(field string, value bool) {
	d.name(field)
	d.out = strconv.AppendBool(d.out, value)
}

func (d *document) time(field string, t *time.Time) {
	if t != nil {
		d.name(field)
		d.out = append(t.UTC().AppendFormat(append(d.out, '"'), timeLayout), '"')
	}
}

func (d *document) integer(field string, n *int64) {
	if n != nil {
		d.name(field)
		d.value(jcs.AppendInteger(d.out, *n))
	}
}

func (d *document) number(field string, f *float64) {
	if f != nil {
		d.name(field)
		d.value(jcs.AppendNumber(d.out, *f))
	}
}

// metadata writes the field of that name, unless an update leaves it alone.
func (d *document) metadata(m Metadata) {
	const field = "metadata"
	if m == "" {
		return
	}
	d.name(field)
	out, exact, err := jcs.AppendFormatted(d.out, string(m))
	if err == nil && !exact {
		err = d.noteInexact("/"+field, m)
	}
	d.value(out, err)
}

// noteInexact keeps the digits that the canonical form loses. Metadata is read again for it, which nearly none needs.
func (d *document) noteInexact(path string, m Metadata) error {
	tree, err := m.tree()
	if err != nil {
		return err
	}
	d.inexact = map[string]string{}
	for pointer, literal := range jcs.InexactNumbers(tree) {
		d.inexact[path+pointer] = literal
	}
	return nil
}
