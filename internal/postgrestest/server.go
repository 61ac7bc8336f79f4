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

// start runs a server that is quick rather than safe against the machine's own failure. Acknowledged commits still survive
// the server being killed: synchronous_commit stays on.
func start(ctx context.Context, data string) (*pgserver.Server, error) {
	version, err := version()
	if err != nil {
		return nil, err
	}
	server, err := pgserver.Start(ctx, pgserver.Config{
		Version:  version,
		Data:     data,
		Progress: os.Stderr,
		Settings: settings(),
	})
	if err == nil {
		servePooler(server)
	}
	return server, err
}

// version is the major version that VersionVariable selects, 0 for the default.
func version() (int, error) {
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

func settings() map[string]string {
	return map[string]string{
		"fsync":           "off",
		"max_connections": "200",
		"shared_buffers":  "32MB",
		// Tests log in thousands of times, and by default each login costs the client 4,096 rounds of hashing.
		"scram_iterations": "1",
		// Kept in the data directory, so that a killed server leaves nothing in /dev/shm.
		"dynamic_shared_memory_type": "mmap",
	}
}

// sharedServer is the server that the tests of one binary share.
type sharedServer struct {
	mu      sync.Mutex
	running bool
	data    string
	server  *pgserver.Server
	err     error
}

func (s *sharedServer) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
}

// use starts the server at its first call. An error is final: the second test need not wait for the same failure.
func (s *sharedServer) use() (*pgserver.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, errors.New("postgrestest.New without postgrestest.Run in TestMain")
	}
	if s.server == nil && s.err == nil {
		s.server, s.err = s.start()
	}
	return s.server, s.err
}

func (s *sharedServer) start() (*pgserver.Server, error) {
	sweep()
	s.data = newDataDir()
	return startSeeded(context.Background(), s.data)
}

func (s *sharedServer) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	if s.server == nil {
		return nil
	}
	return errors.Join(stopWithPooler(s.server), removeDataDir(s.data))
}
