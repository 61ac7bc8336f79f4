package postgrestest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
)

// Kill sends SIGKILL to a running server and its child processes, like a crash, and returns when all have ended.
func Kill(ctx context.Context, server *pgserver.Server) error {
	file, err := os.ReadFile(filepath.Join(server.Data(), pgserver.ClusterDir, "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("find the server to kill: %w", err)
	}
	first, _, _ := strings.Cut(string(file), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return fmt.Errorf("find the server to kill: %w", err)
	}
	ended := server.Done()
	if err := program.KillTree(ctx, pid); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	<-ended
	return nil
}
