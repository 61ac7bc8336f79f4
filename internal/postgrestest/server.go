package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/datastorage-service/datastorage/internal/pgserver"
)

// startServer runs a server that trades durability for speed: a crash of the machine may lose data. Committed data
// survives a kill of the server, because synchronous_commit is on.
func startServer(ctx context.Context, data string) (*pgserver.Server, error) {
	version, err := requestedVersion()
	if err != nil {
		return nil, err
	}
	server, err := pgserver.Start(ctx, pgserver.Config{
		Version:  version,
		Data:     data,
		Progress: os.Stderr,
		Settings: serverSettings(),
	})
	if err == nil {
		keepPoolerOf(server)
	}
	return server, err
}

// requestedVersion returns the major version that VersionVariable selects, or 0 for the default.
func requestedVersion() (int, error) {
	selected := os.Getenv(VersionVariable)
	if selected == "" {
		return 0, nil
	}
	version, err := strconv.Atoi(selected)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", VersionVariable, err)
	}
	return version, nil
}

func serverSettings() map[string]string {
	return map[string]string{
		"fsync":           "off",
		"max_connections": "200",
		"shared_buffers":  "32MB",
		// Tests log in thousands of times, and by default the client hashes 4,096 rounds for each login.
		"scram_iterations": "1",
		// In the data directory, so that a killed server leaves no files in /dev/shm.
		"dynamic_shared_memory_type": "mmap",
	}
}

// sharedServer is the server of all tests of a test binary.
type sharedServer struct {
	mu      sync.Mutex
	running bool
	data    string
	server  *pgserver.Server
	err     error
}

func (s *sharedServer) markRunning() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
}

// startOnce starts the server on the first call. Later calls return the same error instead of starting it again.
func (s *sharedServer) startOnce() (*pgserver.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, errors.New("postgrestest.New without postgrestest.Run in TestMain")
	}
	if s.server == nil && s.err == nil {
		s.server, s.err = s.startSharedServer()
	}
	return s.server, s.err
}

func (s *sharedServer) startSharedServer() (*pgserver.Server, error) {
	removeAbandonedDirs()
	s.data = newDataDir()
	return startSeeded(context.Background(), s.data)
}

func (s *sharedServer) stopSharedServer() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	if s.server == nil {
		return nil
	}
	return errors.Join(stopWithPooler(s.server), removeDataDir(s.data))
}
