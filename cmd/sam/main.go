// Command sam runs the SAM CLI of AWS with its arguments, in the version of the tests, installed under .local.
//
// Before sam deploy it prints where it deploys to and asks once on a terminal, and it writes a hash of all
// that is deployed into the built template, so that every change publishes new versions of the functions.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
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
	if len(args) > 0 && args[0] == "deploy" {
		if args, err = confirmDeployment(ctx, args[1:]); err != nil {
			return err
		}
	}
	cmd := tool.Command(ctx, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// confirmDeployment prints where sam deploy deploys to, asks on a terminal unless sam does, and returns
// the arguments of sam.
func confirmDeployment(ctx context.Context, args []string) ([]string, error) {
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
	return deployment.Args, sam.Stamp(deployment.Template, deployment.Release)
}
