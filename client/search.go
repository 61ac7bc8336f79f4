package client

import "context"

// Search asks whether something like the query has happened before: the nearest incidents, best first, with what was done
// about them and how often that helped.
func (c *Client) Search(ctx context.Context, input SearchInput) (*SearchResults, error) {
	return read[SearchResults](ctx, c, searchCall(input))
}

// Similar answers what is like a remediation: the same incident at other times, and other incidents, best first.
func (c *Client) Similar(ctx context.Context, remediationID string, params FindSimilarParams) (*SimilarResults, error) {
	return read[SimilarResults](ctx, c, findSimilarCall(remediationID, params))
}
