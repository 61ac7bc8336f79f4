//go:build !linux && !darwin

package doctor

import "errors"

// freeDiskBytes is not implemented on this system, which has no private PostgreSQL either.
func freeDiskBytes(string) (uint64, error) {
	return 0, errors.ErrUnsupported
}
