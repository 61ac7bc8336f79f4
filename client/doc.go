// Package client is the Go client of the Data Storage Service. The wire types and the requests are
// generated from openapi.yaml; the rest sends requests and retries them. It depends only on the
// contract and the standard library; package client/sigv4 signs requests with the AWS SDK.
//
// Every method takes a context first and stops when it ends; the error then satisfies errors.Is
// with context.Canceled or context.DeadlineExceeded. An error status is an *Error with the problem
// details of the response, and satisfies errors.Is with ErrInvalid, ErrNotFound, ErrConflict and so
// on.
//
// Every write has a natural key and is stored once, however often it is sent; a repeated write
// returns the first response. The client therefore retries after a broken connection or a temporary
// error; see RetryPolicy.
//
// The service stores times to the microsecond and returns them in UTC. Before comparing a time with
// a response, cut it with t.UTC().Truncate(time.Microsecond).
package client
