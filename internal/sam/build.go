package sam

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/datastorage-service/datastorage/internal/program"
)

// FunctionGOFLAGS are what functions are built with: without RPC, paths of this machine, and symbols.
const FunctionGOFLAGS = "-trimpath -tags=lambda.norpc '-ldflags=-s -w'"

// BuildFunction builds a folder such as functions/write below root, as it is deployed, for Linux and a processor in Go's words, into dir and
// returns the program's path.
func BuildFunction(ctx context.Context, root, folder, processor, dir string) (string, error) {
	bootstrap := filepath.Join(dir, filepath.Base(folder), "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bootstrap, "./"+filepath.ToSlash(folder))
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+processor, "CGO_ENABLED=0", "GOFLAGS="+FunctionGOFLAGS)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", folder, err, program.LastLines(string(out), 3))
	}
	return bootstrap, nil
}
