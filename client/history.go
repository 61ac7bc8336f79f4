package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
)

// History is one page of a remediation's journal, oldest first.
func (c *Client) History(ctx context.Context, remediationID string, params GetHistoryParams) (*History, error) {
	return read[History](ctx, c, getHistoryCall(remediationID, params))
}

// AllHistory walks every page of History from the one that params names.
func (c *Client) AllHistory(ctx context.Context, remediationID string, params GetHistoryParams) iter.Seq2[HistoryEntry, error] {
	return pages(place{cursor: params.Cursor}, func(at place) ([]HistoryEntry, Pagination, error) {
		page := params
		page.Cursor = at.cursor
		list, err := c.History(ctx, remediationID, page)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Data, list.Pagination, nil
	})
}

// Verify recomputes the entry's leaf hash from its canonical text: SHA-256 of a zero byte followed by the text (RFC 6962,
// 2.1). Its error says that they do not belong together.
func (e HistoryEntry) Verify() error {
	sum := sha256.Sum256(append([]byte{0}, e.Canonical...))
	if hash := hex.EncodeToString(sum[:]); hash != e.LeafHash {
		return fmt.Errorf("journal entry %s: its text hashes to %s, not to %s", e.EventID, hash, e.LeafHash)
	}
	return nil
}
