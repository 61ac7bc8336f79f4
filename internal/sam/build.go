package sam

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/datastorage-service/datastorage/internal/program"
)

// BuildFunction builds a folder below root, such as functions/write, for Linux with the flags of the Makefile, which sam build
// uses too. processor is a GOARCH. The program's path is returned; it is in a folder of its own below dir.
func BuildFunction(ctx context.Context, root, folder, processor, dir string) (string, error) {
	artifacts, err := filepath.Abs(filepath.Join(dir, filepath.Base(folder)))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "make", "--no-print-directory", "build-program",
		"PROGRAM="+filepath.ToSlash(folder), "FUNCTION_ARCH="+processor, "ARTIFACTS_DIR="+artifacts)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "MAKEFLAGS=") // not those of a make that runs this
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", folder, err, program.LastLines(string(out), 3))
	}
	return filepath.Join(artifacts, "bootstrap"), nil
}
