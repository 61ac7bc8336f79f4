package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

const (
	// resourceID never changes, so that CloudFormation updates the resource and does not replace
	// it.
	resourceID = "datastorage-schema"
	// responseMargin is kept back from the function's deadline: without an answer, CloudFormation
	// waits for as long as the resource lets it.
	responseMargin = 10 * time.Second
	// maxReason is how much of an error CloudFormation is told, in bytes; it takes an answer of
	// 4096 altogether.
	maxReason = 1000
)

// Invoke answers an event of CloudFormation's custom resources, or a direct invocation, whose
// payload is an Order or nothing. An error of a direct invocation is the invocation's.
// CloudFormation is told at the event's address: there, an error means that it was not told.
func (h *Handler) Invoke(ctx context.Context, payload json.RawMessage) (any, error) {
	var event cfn.Event
	if err := json.Unmarshal(payload, &event); err == nil && event.ResponseURL != "" {
		return cfn.LambdaWrap(h.deployResource)(ctx, event)
	}
	var order Order
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &order); err != nil {
			return nil, fmt.Errorf("migrate: read the event: %w", err)
		}
	}
	return h.Migrate(ctx, order)
}

// deployResource is the life of the custom resource: it is made and changed by migrating, and
// nothing is done when it goes, because the records belong to whoever keeps the database.
func (h *Handler) deployResource(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil, nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-responseMargin))
		defer cancel()
	}
	login, _ := event.ResourceProperties["Login"].(string)
	done, err := h.Migrate(ctx, Order{Login: login})
	if err != nil {
		h.config.Log.ErrorContext(ctx, "migration failed", slog.Any("error", err))
		return resourceID, nil, truncateError(err)
	}
	return resourceID, map[string]any{"Version": strconv.FormatInt(done.Version, 10), "Applied": strings.Join(done.Applied, " ")}, nil
}

// truncateError is an error as CloudFormation is told it.
func truncateError(err error) error {
	text := err.Error()
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "… (the function's log has it whole)"
	}
	return errors.New(text)
}
