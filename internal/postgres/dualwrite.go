package postgres

import (
	"context"
	"errors"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// reportDualWrites counts the outcomes of the remediations among the entries: the writes that
// consist of a record and a vector.
func reportDualWrites(ctx context.Context, entries []audit.Entry, written []audit.Written, err error) {
	invocation := telemetry.FromContext(ctx)
	if invocation == nil {
		return
	}
	for i, entry := range entries {
		if entry.Kind != audit.KindRemediation {
			continue
		}
		outcome := audit.Written{Err: err}
		if err == nil {
			outcome = written[i]
		}
		invocation.Add(telemetry.DualWrites, 1, dualWriteStatus(outcome))
		if outcome.Err != nil {
			invocation.Add(telemetry.DualWriteFailures, 1, failureReason(outcome.Err))
		}
	}
}

func dualWriteStatus(w audit.Written) string {
	switch {
	case w.Err != nil:
		return telemetry.Failure
	case w.Replayed:
		return telemetry.Replayed
	case w.Receipt.Embedding == audit.EmbeddingPending:
		return telemetry.Pending
	default:
		return telemetry.Success
	}
}

func failureReason(err error) string {
	switch {
	case errors.Is(err, audit.ErrConflict):
		return telemetry.ReasonConflict
	case errors.Is(err, audit.ErrRefused):
		return telemetry.ReasonRefused
	case errors.Is(err, context.DeadlineExceeded):
		return telemetry.ReasonTimeout
	case errors.Is(err, context.Canceled):
		return telemetry.ReasonCanceled
	case errors.Is(err, audit.ErrUnavailable):
		return telemetry.ReasonUnavailable
	default:
		return telemetry.ReasonInternal
	}
}
