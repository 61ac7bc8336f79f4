package main

import (
	"fmt"
	"strconv"
	"time"
)

// at shows a time in UTC: to the second on a terminal, in full as RFC 3339 into a pipe.
func (a *app) at(t time.Time) string {
	if a.out.Terminal {
		return t.UTC().Format(time.DateTime)
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (a *app) atOptional(t *time.Time) string {
	if t == nil {
		return ""
	}
	return a.at(*t)
}

// milliseconds shows a duration that the API gives in milliseconds.
func milliseconds(ms *int64) string {
	if ms == nil {
		return ""
	}
	return (time.Duration(*ms) * time.Millisecond).String()
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// share shows a rate and the count it is of.
func share(success, failure int64) string {
	if success+failure == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", success, success+failure)
}
