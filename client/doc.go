// Package client is the Go client of the Data Storage Service. It knows the service's contract, openapi.yaml, from which
// the wire types and the shape of every request are generated, and it knows how to send a request until it is answered;
// of what stands behind the contract it knows nothing. It needs the standard library only.
//
// Every method takes a context first and stops when it ends; the error then satisfies errors.Is with context.Canceled or
// context.DeadlineExceeded. A refusal is an *Error that carries the problem details of the answer and satisfies errors.Is
// with one of ErrInvalid, ErrNotFound, ErrConflict and their like.
//
// Every write has a natural key and may be sent any number of times: the service stores it once and gives the first
// answer again. That is why the client sends a request again after a broken connection or a passing refusal, as
// RetryPolicy says, without asking.
//
// The service keeps times to the microsecond and answers them in UTC; a time compared with an answer is first cut by
// t.UTC().Truncate(time.Microsecond).
package client
