package maintain

import (
	"context"
	"log/slog"

	"github.com/datastorage-service/datastorage/internal/signature"
)

const (
	// neighborSample is the number of signatures that are compared with each other, and
	// neighborText the number of characters of each.
	neighborSample = 5000
	neighborText   = 1024
	// loggedSlots is the number of slots that are logged.
	loggedSlots = 5
)

// countNearDuplicates counts the near duplicates in a sample of the stored signatures, and logs the
// slots in which most values differ: those that leak into signatures.
func (h *Handler) countNearDuplicates(ctx context.Context, done *Done) error {
	texts, err := h.config.Store.SampleSignatures(ctx, neighborSample, neighborText)
	if err != nil {
		return err
	}
	count, slots := signature.NearDuplicates(texts)
	done.NearDuplicates = count
	for _, slot := range slots[:min(len(slots), loggedSlots)] {
		h.config.Log.InfoContext(ctx, "signatures differ in one token",
			slog.String("text", slot.Text), slog.Int("values", slot.Values), slog.String("example", slot.Example))
	}
	return nil
}
