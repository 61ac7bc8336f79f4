package api

import (
	"net/http"
	"time"

	"github.com/datastorage-service/datastorage/client"
)

// DependencyCheck is the result of the check of one dependency.
type DependencyCheck struct {
	Name string
	Took time.Duration
	Err  error
	// Optional is set if writes and queries succeed without the dependency.
	Optional bool
}

// RespondHealth returns the response of a running function.
func RespondHealth() *Response {
	return NewResponse(http.StatusOK, client.Health{Status: client.HealthStatusAlive})
}

// RespondReady returns 200 if a write and a query would succeed, with the status degraded if only
// optional dependencies fail, else 503.
func RespondReady(checks []DependencyCheck) *Response {
	ready := client.Readiness{Status: overallReadiness(checks), Checks: convertSlice(checks, wireCheck)}
	if ready.Status == client.ReadinessStatusUnavailable {
		return NewResponse(http.StatusServiceUnavailable, ready).setHeader("Retry-After", retryAfter)
	}
	return NewResponse(http.StatusOK, ready)
}

func overallReadiness(checks []DependencyCheck) client.ReadinessStatus {
	status := client.ReadinessStatusReady
	for _, check := range checks {
		switch {
		case check.Err == nil:
		case !check.Optional:
			return client.ReadinessStatusUnavailable
		default:
			status = client.ReadinessStatusDegraded
		}
	}
	return status
}

func wireCheck(check DependencyCheck) client.Check {
	wire := client.Check{
		Name:      client.CheckName(check.Name),
		Status:    client.CheckStatusOK,
		LatencyMS: float64(check.Took.Microseconds()) / 1000,
	}
	if check.Err != nil {
		wire.Status, wire.Detail = client.CheckStatusFailed, publicCheckDetail(check.Err)
	}
	return wire
}

// publicCheckDetail omits the message of a dependency's error, which may name hosts and users.
func publicCheckDetail(err error) string {
	if classifyError(err).status == http.StatusServiceUnavailable {
		return "does not respond"
	}
	return err.Error()
}
