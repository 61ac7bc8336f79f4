// Command preflight checks in a second that this machine has what make test needs, and prints one
// line for each missing tool: what needs it and what to install.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"github.com/datastorage-service/datastorage/internal/localstack"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/internal/sam"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if !run(ctx, os.Getenv, os.Stderr) {
		os.Exit(1)
	}
}

// run reports whether nothing is missing.
func run(ctx context.Context, getenv func(string) string, out io.Writer) bool {
	complete := true
	for _, check := range []func(context.Context, func(string) string) error{checkRaceCompiler, checkPythonForLocalStack, checkPythonForSAM, checkPgBouncer} {
		err := check(ctx, getenv)
		if err == nil {
			continue
		}
		complete = false
		var problem *program.Problem
		if errors.As(err, &problem) {
			_, _ = fmt.Fprintf(out, "make test: %s: %s\n", problem.What, problem.Next)
		} else {
			_, _ = fmt.Fprintf(out, "make test: %v\n", err)
		}
	}
	return complete
}

// checkRaceCompiler compiles a file that includes a header of the C library, which the race detector needs.
func checkRaceCompiler(ctx context.Context, _ func(string) string) error {
	compiler, err := exec.CommandContext(ctx, "go", "env", "CC").Output()
	if err != nil {
		return fmt.Errorf("find the C compiler: %w", err)
	}
	words := append(strings.Fields(string(compiler)), "-fsyntax-only", "-x", "c", "-")
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdin = strings.NewReader("#include <stdlib.h>\n")
	if err := cmd.Run(); err != nil {
		return &program.Problem{
			What: "the race detector needs a C compiler", Why: words[0] + " does not compile", Err: err,
			Next: "apt-get install gcc libc6-dev   # macOS: xcode-select --install",
		}
	}
	return nil
}

func checkPythonForLocalStack(ctx context.Context, getenv func(string) string) error {
	if getenv("DATASTORAGE_LOCALSTACK_URL") != "" {
		return nil
	}
	_, err := localstack.FindPython(ctx)
	return err
}

func checkPythonForSAM(ctx context.Context, _ func(string) string) error {
	_, err := sam.FindPython(ctx)
	return err
}

// checkPgBouncer accepts apt-get in place of PgBouncer: the tests download it with that.
func checkPgBouncer(context.Context, func(string) string) error {
	_, installed := exec.LookPath("pgbouncer")
	_, installer := exec.LookPath("apt-get")
	if installed != nil && installer != nil {
		return &program.Problem{
			What: "the store's tests need PgBouncer", Why: "neither it nor apt-get is in PATH", Err: installed,
			Next: "brew install pgbouncer   # or the package of your distribution",
		}
	}
	return nil
}
