// Command sam runs the SAM CLI of AWS with its arguments, in the version of the tests, installed under .local.
//
// Before sam deploy it prints where it deploys to and asks once on a terminal, and it writes a hash of all
// that is deployed into the built template, so that every change publishes new versions of the functions. After
// it, the stack of stage prod is protected from deletion.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/datastorage-service/datastorage/internal/sam"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:])
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		os.Exit(max(ended.ExitCode(), 1))
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	tool, err := sam.Install(ctx, "", os.Stderr)
	if err != nil {
		return err
	}
	runTool := func(args []string) error {
		cmd := tool.Command(ctx, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd.Run()
	}
	if len(args) == 0 || args[0] != "deploy" || slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		return runTool(args)
	}
	deployment, err := confirmDeployment(ctx, args[1:])
	if err != nil {
		return err
	}
	if err := runTool(deployment.Args); err != nil || slices.Contains(args, "--no-execute-changeset") {
		return err
	}
	protected, err := deployment.Protect(ctx)
	if protected {
		fmt.Fprintf(os.Stderr, "Stack %s is protected from deletion\n", deployment.Stack)
	}
	return err
}

// confirmDeployment prints where sam deploy deploys to, asks on a terminal unless sam does, and stamps the
// built template with the release.
func confirmDeployment(ctx context.Context, args []string) (*sam.Deployment, error) {
	deployment, err := sam.PlanDeployment(ctx, ".", args)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "Deploying stage %s: stack %s in account %s, region %s, release %s\n",
		deployment.Stage, deployment.Stack, deployment.Account, deployment.Region, deployment.Release)
	if !deployment.Asks && term.IsTerminal(int(os.Stdin.Fd())) {
		fmt.Fprint(os.Stderr, "Continue? [y/N] ")
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		if line = strings.ToLower(strings.TrimSpace(line)); line != "y" && line != "yes" {
			return nil, errors.New("not deployed")
		}
	}
	return deployment, sam.Stamp(deployment.Template, deployment.Release)
}
