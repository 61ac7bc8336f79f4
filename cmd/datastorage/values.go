package main

import (
	"fmt"
	"strconv"
	"time"
)

// formatTime formats a time in UTC: to the second on a terminal, with all digits as RFC 3339 in a pipe.
func (a *app) formatTime(t time.Time) string {
	if a.out.Terminal {
		return t.UTC().Format(time.DateTime)
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (a *app) formatOptionalTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return a.formatTime(*t)
}

// formatMilliseconds formats the API's durations in milliseconds.
func formatMilliseconds(ms *int64) string {
	if ms == nil {
		return ""
	}
	return (time.Duration(*ms) * time.Millisecond).String()
}

func formatOptionalInt(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func stringOrEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// formatRate formats successes and the number of finished remediations.
func formatRate(success, failure int64) string {
	if success+failure == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", success, success+failure)
}
