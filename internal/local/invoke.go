package local

import (
	"context"
	"errors"
	"io"
)

// LocalDatabases finds the databases of the local stack in dir: those of the stack that runs, or of a private server that is started for
// the purpose and that end stops. They are migrated.
func LocalDatabases(ctx context.Context, dir string, progress io.Writer) (databases Databases, end func() error, err error) {
	p, end, err := UseOrStart(ctx, PostgresConfig{Dir: dir, Progress: progress})
	if err != nil {
		return Databases{}, nil, err
	}
	if err := p.Bootstrap(ctx, databaseName); err != nil {
		return Databases{}, nil, errors.Join(Explain("migrate the private database", err, dir), end())
	}
	return Databases{
		Admin:  p.URL(AdminRole, databaseName),
		Writer: p.URL(WriterRole, databaseName),
		Reader: p.URL(ReaderRole, databaseName),
	}, end, nil
}
