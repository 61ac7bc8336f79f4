package pgserver

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestExplainFullDisk(t *testing.T) {
	t.Parallel()
	const want = "act: the disk is full\n  why: no space is left on the device that holds /dir\n  try: df -h /dir"
	for name, err := range map[string]error{
		"SQLSTATE": fmt.Errorf("migrate: %w", &pgconn.PgError{Code: "53100"}),
		"hint":     outputError("FATAL:  wrote only 4096 of 8192 bytes\nHINT:  Check free disk space.\n"),
		"system":   outputError("FATAL:  could not write: No space left on device\n"),
	} {
		if got := explain("act", err, "/dir"); got.Error() != want || !errors.Is(got, err) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
