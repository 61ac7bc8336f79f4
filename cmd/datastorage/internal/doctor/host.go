package doctor

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/datastorage-service/datastorage/client"
)

// neededSpace is for the programs of PostgreSQL (25 MB packed, 77 MB unpacked), an empty cluster (40 MB), its write-ahead log
// (up to 1 GB by default, max_wal_size) and some data.
const neededSpace = 2 << 30

func (m Machine) examineDisk(context.Context) Finding {
	folder := m.Local
	for _, err := os.Stat(folder); err != nil && folder != filepath.Dir(folder); _, err = os.Stat(folder) {
		folder = filepath.Dir(folder)
	}
	free, err := freeDiskBytes(folder)
	if err != nil {
		return newMissingFinding("disk", err.Error(), "df -h "+folder)
	}
	found := fmt.Sprintf("%.1f GB free for %s", float64(free)/1e9, m.Local)
	if free < neededSpace {
		return newMissingFinding("disk", fmt.Sprintf("%s, and %.1f GB are needed", found, neededSpace/1e9), "du -sh "+folder+"   # and free space")
	}
	return newOKFinding("disk", "%s", found)
}

// examinePort checks that the port is free or used by the local stack.
func (m Machine) examinePort(ctx context.Context) Finding {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", m.Addr)
	if err == nil {
		_ = listener.Close()
		return newOKFinding("port", "%s is free", m.Addr)
	}
	if api, err := client.New("http://" + m.Addr); err == nil {
		if _, err := api.Health(ctx); err == nil {
			return newOKFinding("port", "%s: the local stack has it", m.Addr)
		}
	}
	return newMissingFinding("port", err.Error(), "make run ADDR=127.0.0.1:3001   # any free port")
}
