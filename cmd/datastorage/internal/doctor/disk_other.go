//go:build !linux && !darwin

package doctor

import "errors"

// freeSpace cannot be asked for here, where there is no private PostgreSQL either.
func freeSpace(string) (uint64, error) {
	return 0, errors.ErrUnsupported
}
