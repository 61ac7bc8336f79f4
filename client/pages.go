package client

import (
	"errors"
	"iter"
)

// place is where a page begins: behind a cursor, or after so many records.
type place struct {
	cursor string
	offset int
}

// pages walks the pages that fetch reads, from the one at first on. A page that says there is more but not where ends the
// walk with an error: stopping in silence would look like the end.
func pages[T any](first place, fetch func(at place) ([]T, Pagination, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for at, more := first, true; more; {
			items, page, err := fetch(at)
			if err == nil {
				at, more, err = page.next(at, len(items))
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				yield(*new(T), err)
				return
			}
		}
	}
}

// next is where the page after this one begins, which began at the given place and holds so many items.
func (p Pagination) next(at place, items int) (_ place, more bool, _ error) {
	next := place{cursor: p.NextCursor}
	if p.Offset != nil && p.NextCursor == "" {
		next.offset = *p.Offset + items
	}
	if p.HasMore && (next == place{} || next == at) {
		return place{}, false, errors.New("the page says that there are more, but not where")
	}
	return next, p.HasMore, nil
}
