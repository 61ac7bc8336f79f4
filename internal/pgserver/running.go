package pgserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/datastorage-service/datastorage/internal/program"
)

// UseOrStart returns the server that runs on the configuration's Data, of this or of another process, or starts one. end stops
// a server that was started here and leaves any other running.
func UseOrStart(ctx context.Context, config Config) (server *Server, end func() error, err error) {
	if config, err = config.withDefaults(); err != nil {
		return nil, nil, err
	}
	p := &Server{config: config}
	if file, err := readPIDFile(p.clusterPath()); err == nil && file.status == "ready" {
		password, passwordErr := os.ReadFile(filepath.Join(config.Data, PasswordFile))
		alive, err := program.IsRunning(ctx, file.pid, p.clusterPath())
		if alive && errors.Join(err, passwordErr) == nil {
			p.password, p.config.Port = string(password), file.port
			return p, func() error { return nil }, nil
		}
	}
	p, err = Start(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	return p, p.Stop, nil
}
