package local

import (
	"context"
	"errors"
	"io"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
)

// LocalDatabases finds the databases of the local stack in dir: those of the stack that runs, or of a private server that is started for
// the purpose and that end stops. They are migrated.
func LocalDatabases(ctx context.Context, dir string, progress io.Writer) (databases Databases, end func() error, err error) {
	p, end, err := pgserver.UseOrStart(ctx, pgserver.Config{Dir: dir, Progress: progress})
	if err != nil {
		return Databases{}, nil, err
	}
	if err := p.Bootstrap(ctx, databaseName); err != nil {
		return Databases{}, nil, errors.Join(program.Explain("migrate the private database", err, dir), end())
	}
	return Databases{
		Admin:  p.URL(pgserver.AdminRole, databaseName),
		Writer: p.URL(pgserver.WriterRole, databaseName),
		Reader: p.URL(pgserver.ReaderRole, databaseName),
	}, end, nil
}
