// Command datastorage is the command line of the Data Storage Service: it runs the local stack, migrates a database, imports records, and
// queries the API. It uses the API through package client only.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second Ctrl-C ends the process at once.
	a := &app{
		in:     os.Stdin,
		out:    console.Open(os.Stdout, os.Getenv),
		talk:   console.Open(os.Stderr, os.Getenv),
		getenv: os.Getenv,
	}
	os.Exit(a.runCommandLine(ctx, os.Args[1:]))
}
