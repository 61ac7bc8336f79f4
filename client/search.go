package client

import "context"

// Search returns the incidents most like the query, best first, with the actions taken and their
// success rates.
func (c *Client) Search(ctx context.Context, input SearchInput) (*SearchResults, error) {
	return sendAndDecode[SearchResults](ctx, c, searchCall(input))
}

// Similar returns other occurrences of a remediation's incident, and similar incidents, best first.
func (c *Client) Similar(ctx context.Context, remediationID string, params FindSimilarParams) (*SimilarResults, error) {
	return sendAndDecode[SimilarResults](ctx, c, findSimilarCall(remediationID, params))
}
