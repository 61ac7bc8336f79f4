// Package local is the stack that `make run` serves on one machine: the functions, wired as they
// are when deployed, on a private PostgreSQL and behind an API Gateway, with a queue in LocalStack
// that is polled as Lambda polls it.
//
// It does not depend on the content of records, and no deployed function imports it.
package local
