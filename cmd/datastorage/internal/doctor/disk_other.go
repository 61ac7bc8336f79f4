//go:build !linux && !darwin

package doctor

import "errors"

// freeDiskBytes cannot be asked for here, where there is no private PostgreSQL either.
func freeDiskBytes(string) (uint64, error) {
	return 0, errors.ErrUnsupported
}
