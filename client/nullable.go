package client

import (
	"bytes"
	"encoding/json"
)

// Nullable is a field that can be absent (its zero value), null, or hold a value, where an update means something else by
// each: leave the field, clear it, set it.
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

// Set is a field that holds value.
func Set[T any](value T) Nullable[T] { return Nullable[T]{value: value, state: present} }

// Null is a field that is null: as part of an update, it clears what is stored.
func Null[T any]() Nullable[T] { return Nullable[T]{state: null} }

// IsZero reports whether the field is absent. encoding/json asks it where a tag says omitzero.
func (n Nullable[T]) IsZero() bool { return n.state == absent }

// IsNull reports whether the field is null, as opposed to absent.
func (n Nullable[T]) IsNull() bool { return n.state == null }

// Get is the value, and whether there is one.
func (n Nullable[T]) Get() (T, bool) { return n.value, n.state == present }

// MarshalJSON writes the value, or null when there is none.
func (n Nullable[T]) MarshalJSON() ([]byte, error) {
	if n.state != present {
		return []byte("null"), nil
	}
	return json.Marshal(n.value)
}

// UnmarshalJSON reads a value or null. It is not called for an absent field, which stays absent.
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
