package client

import (
	"bytes"
	"encoding/json"
)

// Nullable is a field that is absent (its zero value), null, or has a value. An update leaves an
// absent field unchanged, clears a null one and sets the others.
type Nullable[T any] struct {
	value T
	state nullableState
}

type nullableState uint8

const (
	absent nullableState = iota
	null
	present
)

// Set returns a field with a value.
func Set[T any](value T) Nullable[T] { return Nullable[T]{value: value, state: present} }

// Null returns a field that is null: an update clears what is stored.
func Null[T any]() Nullable[T] { return Nullable[T]{state: null} }

// IsZero reports whether the field is absent. encoding/json calls it for the tag omitzero.
func (n Nullable[T]) IsZero() bool { return n.state == absent }

// IsNull reports whether the field is null, as opposed to absent.
func (n Nullable[T]) IsNull() bool { return n.state == null }

// Get returns the value; ok is false if there is none.
func (n Nullable[T]) Get() (value T, ok bool) { return n.value, n.state == present }

// MarshalJSON returns the value, or null if there is none.
func (n Nullable[T]) MarshalJSON() ([]byte, error) {
	if n.state != present {
		return []byte("null"), nil
	}
	return json.Marshal(n.value)
}

// UnmarshalJSON reads a value or null. It is not called for an absent field.
func (n *Nullable[T]) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*n = Null[T]()
		return nil
	}
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	*n = Set(value)
	return nil
}
