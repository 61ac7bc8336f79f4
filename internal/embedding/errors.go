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

// What a failure means to a caller. Every error of Embedder is one of the two, or both when texts failed in different ways;
// an error that a context ended also satisfies errors.Is for context.Canceled or context.DeadlineExceeded.
var (
	// ErrUnavailable says nothing about the text: the provider is down, slow, throttling, or wrongly configured. Store the
	// record without its vector and ask again later.
	ErrUnavailable = errors.New("embedding provider unavailable")
	// ErrRefused means that the provider has no vector for this text and will not have one when asked again. Store the record
	// without its vector.
	ErrRefused = errors.New("text refused by the embedding provider")
)

// RefusedError is an ErrRefused that names the signatures it is about.
type RefusedError struct {
	// IDs are the signatures whose texts were refused, each once.
	IDs []audit.ID
	err error
}

// Error gives the number of the signatures and the reason of the first refusal.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%d of the signatures: %v", len(e.IDs), e.err)
}

// Unwrap is the first refusal.
func (e *RefusedError) Unwrap() error {
	return e.err
}

// failure is one thing that went wrong between the Embedder and the service, classified.
type failure struct {
	kind    error  // ErrUnavailable or ErrRefused
	message string // what is printed: bounded, and free of secrets
	// cause is what errors.Is sees, nil if there is no more to see. It is not printed, as it may quote the service at length.
	cause      error
	transient  bool          // worth another attempt
	retryAfter time.Duration // when passing: the wait the service asked for, 0 if it did not
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

// refusedFailure is about the text, and final.
func refusedFailure(clause string, cause error) *failure {
	return &failure{kind: ErrRefused, message: clause, cause: cause}
}

// unavailableFailure is not about the text, and no attempt soon after will fare better: someone has to change something.
func unavailableFailure(clause string, cause error) *failure {
	return &failure{kind: ErrUnavailable, message: clause, cause: cause}
}

// transientFailure is a failure that another attempt may not meet again.
func transientFailure(clause string, cause error) *failure {
	return &failure{kind: ErrUnavailable, message: clause, cause: cause, transient: true}
}

// classifyError is err as a failure; an error of unknown kind, such as a broken connection, is a passing one.
func classifyError(err error) *failure {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	return transientFailure(networkMessage(err), err)
}

// statusFailure classifies an HTTP answer that is not a success by its status (RFC 9110, section 15; RFC 6585 for 429).
func statusFailure(status int, header http.Header, clause string, cause error) *failure {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return refusedFailure(clause, cause)
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f := transientFailure(clause, cause)
		f.retryAfter = parseRetryAfter(header)
		return f
	}
	return unavailableFailure(clause, cause)
}

// parseRetryAfter is the wait that an answer asks for, in seconds or up to a date (RFC 9110, section 10.2.3); 0 if it asks for none.
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

// networkMessage is what an error of the network says, without the method and the address around it.
func networkMessage(err error) string {
	var sending *url.Error
	if errors.As(err, &sending) {
		err = sending.Err
	}
	return printableLine(err.Error())
}

// maxMessage bounds what an error repeats of another's words, in runes.
const maxMessage = 160

// printableLine makes one printable line of a text, of at most maxMessage runes.
func printableLine(text string) string {
	line := strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r)
	}), " ")
	return truncateText(strings.ToValidUTF8(line, "?"), maxMessage)
}
