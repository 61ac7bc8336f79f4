package local

import (
	"context"
	"errors"
	"io"

	"github.com/datastorage-service/datastorage/internal/pgserver"
)

// LocalDatabases returns the migrated databases of the local stack in dir. It uses the server of a
// running stack, or else starts one, which end stops.
func LocalDatabases(ctx context.Context, dir string, progress io.Writer) (databases Databases, end func() error, err error) {
	server, end, err := pgserver.UseOrStart(ctx, pgserver.Config{Dir: dir, Progress: progress})
	if err != nil {
		return Databases{}, nil, err
	}
	if err := server.Bootstrap(ctx, databaseName); err != nil {
		return Databases{}, nil, errors.Join(err, end())
	}
	return Databases{
		Admin:  server.URL(pgserver.AdminRole, databaseName),
		Writer: server.URL(pgserver.WriterRole, databaseName),
		Reader: server.URL(pgserver.ReaderRole, databaseName),
	}, end, nil
}
