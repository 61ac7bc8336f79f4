package migrate

import (
	"bytes"
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
	// resourceID is constant, so that CloudFormation updates the resource and does not replace it.
	resourceID = "datastorage-schema"
	// responseMargin is the time reserved before the function's deadline to respond to
	// CloudFormation, which otherwise waits until the resource times out.
	responseMargin = 10 * time.Second
	// maxReason is the maximum length of a reported error in bytes. CloudFormation limits the
	// response to 4096 bytes.
	maxReason = 1000
)

// Invoke handles an event of a CloudFormation custom resource, or a direct invocation, whose
// payload is an Order or empty. A direct invocation returns the error of the migration. For
// CloudFormation, the outcome goes to the event's URL, and an error means that it could not be
// delivered.
func (h *Handler) Invoke(ctx context.Context, payload json.RawMessage) (any, error) {
	var event cfn.Event
	if err := json.Unmarshal(payload, &event); err == nil && event.ResponseURL != "" {
		return cfn.LambdaWrap(h.deployResource)(ctx, event)
	}
	var order Order
	if len(payload) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(payload))
		decoder.DisallowUnknownFields() // a misspelt member would be an order without it
		if err := decoder.Decode(&order); err != nil {
			return nil, fmt.Errorf("migrate: read the event: %w", err)
		}
	}
	return h.Migrate(ctx, order)
}

// deployResource handles the custom resource: creating and updating it migrates. Deleting it does
// nothing, because the records outlive the stack.
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
	return resourceID, map[string]any{
		"Version": strconv.FormatInt(done.Version, 10), "Applied": strings.Join(done.Applied, " "),
	}, nil
}

// truncateError returns an error in one line of at most maxReason.
func truncateError(err error) error {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "… (see the function's log)"
	}
	return errors.New(text)
}
