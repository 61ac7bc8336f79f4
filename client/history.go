package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
)

// History returns one page of the journal of a remediation, oldest first.
func (c *Client) History(ctx context.Context, remediationID string, params GetHistoryParams) (*History, error) {
	return sendAndDecode[History](ctx, c, getHistoryCall(remediationID, params))
}

// AllHistory iterates over the entries of History from the page of params on.
func (c *Client) AllHistory(ctx context.Context, remediationID string, params GetHistoryParams) iter.Seq2[HistoryEntry, error] {
	return iteratePages(pagePosition{cursor: params.Cursor}, func(at pagePosition) ([]HistoryEntry, Pagination, error) {
		page := params
		page.Cursor = at.cursor
		list, err := c.History(ctx, remediationID, page)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Data, list.Pagination, nil
	})
}

// Verify recomputes the leaf hash from the canonical form: SHA-256 of a zero byte followed by it
// (RFC 6962, section 2.1). It returns an error if they differ.
func (e HistoryEntry) Verify() error {
	sum := sha256.Sum256(append([]byte{0}, e.Canonical...))
	if hash := hex.EncodeToString(sum[:]); hash != e.LeafHash {
		return fmt.Errorf("journal entry %s: its hash is %s, not %s", e.EventID, hash, e.LeafHash)
	}
	return nil
}
