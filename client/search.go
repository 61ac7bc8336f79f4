package client

import "context"

// Search asks whether something like the query has happened before: the nearest incidents, best first, with what was done
// about them and how often that helped.
func (c *Client) Search(ctx context.Context, input SearchInput) (*SearchResults, error) {
	return read[SearchResults](ctx, c, searchCall(input))
}
