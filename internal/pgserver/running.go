package pgserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/datastorage-service/datastorage/internal/program"
)

// UseOrStart returns the server that runs on Config.Data, whichever process owns it, or else starts
// one. end stops the server only if this call started it.
func UseOrStart(ctx context.Context, config Config) (server *Server, end func() error, err error) {
	if config, err = config.withDefaults(); err != nil {
		return nil, nil, err
	}
	s := &Server{config: config}
	if file, err := readPIDFile(s.clusterPath()); err == nil && file.status == "ready" {
		password, passwordErr := os.ReadFile(filepath.Join(config.Data, PasswordFile))
		alive, err := program.IsRunning(ctx, file.pid, s.clusterPath())
		if alive && errors.Join(err, passwordErr) == nil {
			s.password, s.config.Port = string(password), file.port
			return s, func() error { return nil }, nil
		}
	}
	s, err = Start(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Stop, nil
}
