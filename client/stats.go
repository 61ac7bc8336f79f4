package client

import "context"

// SuccessRate returns how often remediations succeeded for each value of params.GroupBy, best
// first.
func (c *Client) SuccessRate(ctx context.Context, params GetSuccessRateParams) (*SuccessRates, error) {
	return sendAndDecode[SuccessRates](ctx, c, getSuccessRateCall(params))
}

// Trend returns how many remediations began in each bucket of params.Interval, by status, oldest
// first.
func (c *Client) Trend(ctx context.Context, params GetTrendParams) (*Trend, error) {
	return sendAndDecode[Trend](ctx, c, getTrendCall(params))
}
