package pgserver

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/program"
)

// codeDiskFull is the SQLSTATE of a write that found no space (PostgreSQL manual, appendix A).
const codeDiskFull = "53100"

// explain is program.Explain, which also recognises a full disk by PostgreSQL's SQLSTATE.
func explain(act string, err error, dir string) error {
	var response *pgconn.PgError
	if errors.As(err, &response) && response.Code == codeDiskFull {
		err = fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	}
	return program.Explain(act, err, dir)
}

// outputError is program.OutputError, which also recognises a full disk by PostgreSQL's hint after
// a partial write.
func outputError(out string) error {
	err := program.OutputError(out)
	if strings.Contains(out, "HINT:  Check free disk space") {
		err = fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	}
	return err
}
