package audit

import "time"

// PageRequest selects a part of a list.
type PageRequest struct {
	// Limit is the maximum number of rows, 1 to 1000.
	Limit int
	// After is where the previous page ended, nil for the first page.
	After *Position
	// Offset is the number of rows to skip; 0 with After.
	Offset int
	// Ascending orders oldest first.
	Ascending bool
	// Total asks for the number of all rows that match.
	Total bool
}

// Position is a position in a list: after the row with this time and ID.
type Position struct {
	Time time.Time
	ID   int64
}

// HistoryPosition is a position in a remediation's journal: after the entry with this time and ID.
type HistoryPosition struct {
	RecordedAt time.Time
	EventID    ID
}

// Page is one page of a list.
type Page[T any] struct {
	Data []T
	// HasMore reports whether rows follow the page.
	HasMore bool
	// Total is the number of all rows that match, nil unless it was requested.
	Total *int64
}
