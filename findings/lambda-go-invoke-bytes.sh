#!/usr/bin/env bash
# aws-lambda-go: the response that a Handler's Invoke returned is overwritten by the next Invoke of that handler.
#
# Expected: the bytes that lambda.Handler.Invoke returns belong to the caller; nothing in the documentation of the interface
#   limits how long they are valid.
# Seen: they are memory of a buffer that went back to a pool before Invoke returned. The next Invoke writes its response over
#   them: the caller then holds the new response, or its beginning followed by the rest of the old one.
# Who meets it: whoever calls a handler without Lambda: a local server that serves API requests through the handler, tests
#   that compare two responses, a middleware Handler around another that keeps or caches a response. Under concurrent calls
#   one client receives the response of another. lambda.Start itself reads the buffer before it is reused.
# Instead: copy the bytes (bytes.Clone) before the next Invoke can begin. With concurrent callers that takes a lock around
#   Invoke and copy, or a handler (lambda.NewHandler) for each caller.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat >go.mod <<'MOD'
module finding

go 1.25
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		fmt.Println(info.GoVersion, dep.Path, dep.Version)
	}
	handler := lambda.NewHandler(func(_ context.Context, name string) (string, error) {
		return "response to " + name, nil
	})
	ctx := context.Background()
	overwritten := 0
	const tries = 1000 // a sync.Pool may drop a buffer at any garbage collection
	for i := range tries {
		first, err := handler.Invoke(ctx, []byte(`"the first caller"`))
		if err != nil {
			panic(err)
		}
		before := string(first)
		second, err := handler.Invoke(ctx, []byte(`"another"`))
		if err != nil {
			panic(err)
		}
		if i == 0 {
			fmt.Printf("first, as returned:         %q\nsecond, as returned:        %q\nfirst, after second Invoke: %q\n", before, second, first)
		}
		if string(first) != before {
			overwritten++
		}
	}
	fmt.Printf("overwritten: %d of %d\n", overwritten, tries)
	if overwritten < tries/2 {
		fmt.Println("CHANGED: not as described")
		os.Exit(1)
	}
	fmt.Println("as described")
}
GO
export GOFLAGS=-mod=mod
go get github.com/aws/aws-lambda-go@v1.55.1 2>go.log || { cat go.log; exit 1; }
go run .
