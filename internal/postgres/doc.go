// Package postgres is the store: the pool, the statements, and the translation of the driver's errors into the domain's. It
// keeps records, signatures, vectors and the journal, and answers lists and searches over them.
//
// It does not judge input (package audit has checked it), makes no vectors (package embedding does), and knows nothing of HTTP.
// Every error it returns satisfies errors.Is for the domain's sentinel that says what to do, and for context.Canceled or
// context.DeadlineExceeded where one of them was the cause.
package postgres
