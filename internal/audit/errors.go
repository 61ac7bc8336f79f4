package audit

import "errors"

// What may go wrong with a valid input. Callers test with errors.Is.
var (
	// ErrNotFound means that there is no such remediation. Sending the request again helps only after somebody created it.
	ErrNotFound = errors.New("no such remediation")
	// ErrConflict means that the stored record forbids the write. Sending it again unchanged cannot succeed.
	ErrConflict = errors.New("conflict with the stored record")
	// ErrUnavailable means that a dependency did not answer or asked to wait. The same request may be sent again, with the same
	// ids: nothing is stored twice.
	ErrUnavailable = errors.New("temporarily unavailable")
	// ErrRefused means that the database refused a value that validation let pass. Sending it again cannot succeed.
	ErrRefused = errors.New("refused by a rule of the database")
)

// Conflict is ErrConflict with a sentence for the caller.
type Conflict string

func (c Conflict) Error() string { return string(c) }

// Is makes errors.Is(err, ErrConflict) true.
func (c Conflict) Is(target error) bool { return target == ErrConflict }
