package postgres

import "context"

// CursorKey returns the key that signs page cursors, 32 bytes, the same for every function on this
// database.
func (s *Store) CursorKey(ctx context.Context) ([]byte, error) {
	if key := s.cache.cachedCursorKey(); key != nil {
		return key, nil
	}
	key, err := retry(ctx, s, "read the cursor key", func(ctx context.Context) ([]byte, error) {
		return s.queries.CursorKey(ctx, s.pool)
	})
	if err != nil {
		return nil, err
	}
	s.cache.cacheCursorKey(key)
	return key, nil
}
