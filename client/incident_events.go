package client

import (
	"context"
	"iter"
)

// IncidentEvents returns one page of the incident_events view, newest first.
func (c *Client) IncidentEvents(ctx context.Context, params ListIncidentEventsParams) (*IncidentEventList, error) {
	return sendAndDecode[IncidentEventList](ctx, c, listIncidentEventsCall(params))
}

// AllIncidentEvents iterates over the rows of IncidentEvents from the page of params on.
func (c *Client) AllIncidentEvents(ctx context.Context, params ListIncidentEventsParams) iter.Seq2[IncidentEvent, error] {
	return iteratePages(pagePosition{cursor: params.Cursor}, func(at pagePosition) ([]IncidentEvent, Pagination, error) {
		page := params
		page.Cursor = at.cursor
		list, err := c.IncidentEvents(ctx, page)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Data, list.Pagination, nil
	})
}
