package api

import (
	"net/http"
	"time"

	"github.com/datastorage-service/datastorage/client"
)

// Check is what became of asking one dependency.
type Check struct {
	Name string
	Took time.Duration
	Err  error
	// Optional says that writes and queries go on without it.
	Optional bool
}

// RespondHealth answers that the function is alive.
func RespondHealth() *Response {
	return NewAnswer(http.StatusOK, client.Health{Status: "alive"})
}

// RespondReady answers 200 when a write and a query can succeed, degraded when only what is optional is out, else 503.
func RespondReady(checks []Check) *Response {
	ready := client.Readiness{Status: "ready"}
	for _, check := range checks {
		wire := client.Check{
			Name: client.CheckName(check.Name), Status: "ok", LatencyMS: float64(check.Took.Microseconds()) / 1000,
		}
		if check.Err != nil {
			wire.Status = "failed"
			wire.Detail = readyDetail(check.Err)
			if !check.Optional {
				ready.Status = "unavailable"
			} else if ready.Status == "ready" {
				ready.Status = "degraded"
			}
		}
		ready.Checks = append(ready.Checks, wire)
	}
	if ready.Status != "unavailable" {
		return NewAnswer(http.StatusOK, ready)
	}
	return NewAnswer(http.StatusServiceUnavailable, ready).header("Retry-After", retryAfter)
}

// readyDetail keeps a dependency's own words from the caller: they may name hosts and users.
func readyDetail(err error) string {
	if status(err).status == http.StatusServiceUnavailable {
		return "does not answer"
	}
	return err.Error()
}
