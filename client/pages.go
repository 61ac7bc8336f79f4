package client

import (
	"errors"
	"iter"
)

// pagePosition is where a page begins: after a cursor, or after a number of records.
type pagePosition struct {
	cursor string
	offset int
}

// iteratePages iterates over the items of all pages from first on. If a page has more items after
// it but no next position, iteration ends with an error, because a silent end would look like the
// last page.
func iteratePages[T any](first pagePosition, fetch func(at pagePosition) ([]T, Pagination, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for at, more := first, true; more; {
			items, page, err := fetch(at)
			if err == nil {
				at, more, err = page.nextPosition(at, len(items))
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

// nextPosition returns the position of the next page, given that of this page and its number of
// items.
func (p Pagination) nextPosition(at pagePosition, items int) (_ pagePosition, more bool, _ error) {
	next := pagePosition{cursor: p.NextCursor}
	if p.Offset != nil && p.NextCursor == "" {
		next.offset = *p.Offset + items
	}
	if p.HasMore && (next == pagePosition{} || next == at) {
		return pagePosition{}, false, errors.New("the page has more items, but no next position")
	}
	return next, p.HasMore, nil
}
