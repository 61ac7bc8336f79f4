package audit

// Written is the outcome of one entry of an append.
type Written struct {
	// Err is nil if the entry is stored, now or earlier. Otherwise it is the reason, which affects
	// this entry alone: a Conflict, ErrNotFound for a child or an update of an unknown remediation,
	// a Contradiction, or ErrRefused.
	Err error
	// Replayed reports that the same content was accepted before; the other fields then describe
	// that first write.
	Replayed bool
	// ID is the number of the row.
	ID int64
	// Receipt identifies the journal entry. It is the zero value for a replayed update, which has
	// no journal entry of its own.
	Receipt Receipt
	// Remediation is the state after an update, nil for other kinds.
	Remediation *Stored
}
