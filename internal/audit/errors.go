package audit

import "errors"

// Errors of valid requests. Test with errors.Is.
var (
	// ErrNotFound: the remediation does not exist. Retry after it was created.
	ErrNotFound = errors.New("no such remediation")
	// ErrConflict: the stored record forbids the write. Do not retry it unchanged.
	ErrConflict = errors.New("conflict with the stored record")
	// ErrUnavailable: a dependency did not respond or asked for a later retry. Retry the request
	// with the same IDs; nothing is stored twice.
	ErrUnavailable = errors.New("temporarily unavailable")
	// ErrRefused: the database rejected a value that validation accepted. Do not retry.
	ErrRefused = errors.New("refused by a rule of the database")
)

// Conflict is an ErrConflict with an explanation for the caller.
type Conflict string

func (c Conflict) Error() string { return string(c) }

// Is makes errors.Is(err, ErrConflict) true.
func (c Conflict) Is(target error) bool { return target == ErrConflict }
