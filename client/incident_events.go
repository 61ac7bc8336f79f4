package client

import (
	"context"
	"iter"
)

// IncidentEvents is one page of the incident_events view, newest first.
func (c *Client) IncidentEvents(ctx context.Context, params ListIncidentEventsParams) (*IncidentEventList, error) {
	return read[IncidentEventList](ctx, c, listIncidentEventsCall(params))
}

// AllIncidentEvents walks every page of IncidentEvents from the one that params names.
func (c *Client) AllIncidentEvents(ctx context.Context, params ListIncidentEventsParams) iter.Seq2[IncidentEvent, error] {
	return pages(place{cursor: params.Cursor}, func(at place) ([]IncidentEvent, Pagination, error) {
		page := params
		page.Cursor = at.cursor
		list, err := c.IncidentEvents(ctx, page)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Data, list.Pagination, nil
	})
}
