//go:build !linux && !darwin

package doctor

import "errors"

// freeDiskBytes returns errors.ErrUnsupported: no private PostgreSQL, whose data need the space, runs on this system.
func freeDiskBytes(string) (uint64, error) {
	return 0, errors.ErrUnsupported
}
