package client

import "context"

// SuccessRate answers how often remediations succeeded, by the values of params.GroupBy, best first.
func (c *Client) SuccessRate(ctx context.Context, params GetSuccessRateParams) (*SuccessRates, error) {
	return read[SuccessRates](ctx, c, getSuccessRateCall(params))
}

// Trend answers how many remediations began in each of the buckets of params.Interval, by status, oldest first.
func (c *Client) Trend(ctx context.Context, params GetTrendParams) (*Trend, error) {
	return read[Trend](ctx, c, getTrendCall(params))
}
