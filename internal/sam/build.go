package sam

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/datastorage-service/datastorage/internal/program"
)

// BuildFunction builds a folder below root, such as functions/write, for Linux and a GOARCH, with
// the Makefile's flags that sam build uses too. It returns the path of the program,
// dir/write/bootstrap for functions/write.
func BuildFunction(ctx context.Context, root, folder, goarch, dir string) (string, error) {
	artifacts, err := filepath.Abs(filepath.Join(dir, filepath.Base(folder)))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "make", "--no-print-directory", "build-program",
		"PROGRAM="+filepath.ToSlash(folder), "FUNCTION_ARCH="+goarch, "ARTIFACTS_DIR="+artifacts)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "MAKEFLAGS=") // without the options of a make that runs this program
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", folder, err, program.LastLines(string(out), 3))
	}
	return filepath.Join(artifacts, "bootstrap"), nil
}
