//go:build linux || darwin

package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeDiskBytes returns how many bytes an ordinary user may still write in a folder.
func freeDiskBytes(folder string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return 0, fmt.Errorf("read the free space of %s: %w", folder, err)
	}
	// Bsize is signed on Linux and unsigned on macOS, and never negative.
	return stat.Bavail * uint64(stat.Bsize), nil
}
