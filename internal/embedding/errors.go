package embedding

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// Every error of Embedder is one of these, or both when texts failed differently. If a context
// ended the call, the error is also context.Canceled or context.DeadlineExceeded.
var (
	// ErrUnavailable means that the provider is down, slow, throttling or misconfigured, whatever
	// the text. Store the record without its vector and retry later.
	ErrUnavailable = errors.New("embedding provider unavailable")
	// ErrRefused means that the provider has no vector for this text, and that a retry would not
	// change that. Store the record without its vector.
	ErrRefused = errors.New("text refused by the embedding provider")
)

// RefusedError is an ErrRefused with the signatures that it concerns.
type RefusedError struct {
	// IDs are the distinct signatures whose texts were refused.
	IDs []audit.ID
	err error
}

// Error returns the number of signatures and the first refusal.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%d of the signatures: %v", len(e.IDs), e.err)
}

// Unwrap returns the first refusal.
func (e *RefusedError) Unwrap() error {
	return e.err
}

// failure is a classified error of a call.
type failure struct {
	kind    error  // ErrUnavailable or ErrRefused
	message string // printed: bounded, and free of secrets
	// cause is for errors.Is, or nil. It is not printed, because it may quote the service at
	// length.
	cause      error
	transient  bool          // a retry may succeed
	retryAfter time.Duration // of a transient failure: the wait that the service requests, or 0
}

func (f *failure) Error() string {
	return f.kind.Error() + ": " + f.message
}

func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

// refusedFailure returns a failure that the text caused: a retry would fail again.
func refusedFailure(message string, cause error) *failure {
	return &failure{kind: ErrRefused, message: message, cause: cause}
}

// unavailableFailure returns a failure that the text did not cause and that an operator must
// resolve: an immediate retry would fail again.
func unavailableFailure(message string, cause error) *failure {
	return &failure{kind: ErrUnavailable, message: message, cause: cause}
}

// transientFailure returns a failure that the text did not cause and a retry may resolve.
func transientFailure(message string, cause error) *failure {
	return &failure{kind: ErrUnavailable, message: message, cause: cause, transient: true}
}

// classifyError returns err as a failure. An unclassified error, such as a broken connection, is
// transient.
func classifyError(err error) *failure {
	if known, ok := errors.AsType[*failure](err); ok {
		return known
	}
	return transientFailure(networkMessage(err), err)
}

// statusFailure classifies an HTTP response by its status, which is not 200 (RFC 9110, section 15;
// RFC 6585 for 429).
func statusFailure(status int, header http.Header, message string, cause error) *failure {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return refusedFailure(message, cause)
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f := transientFailure(message, cause)
		f.retryAfter = parseRetryAfter(header)
		return f
	}
	return unavailableFailure(message, cause)
}

// parseRetryAfter returns the requested wait, given in seconds or as a date (RFC 9110, section
// 10.2.3), or 0.
func parseRetryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(date))
	}
	return 0
}

// networkMessage returns the message of a network error, without the method and the address that
// package http adds.
func networkMessage(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return printableLine(err.Error())
}

// maxMessage is the maximum length in runes of a service's message within an error.
const maxMessage = 160

// printableLine returns the text as one printable line of at most maxMessage runes.
func printableLine(text string) string {
	line := strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r)
	}), " ")
	return truncateText(strings.ToValidUTF8(line, "?"), maxMessage)
}
