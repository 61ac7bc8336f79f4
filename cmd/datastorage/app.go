package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
)

// defaultURL is where the local stack listens, the address of sam local start-api.
const defaultURL = "http://127.0.0.1:3000"

// app holds the streams, the environment and the flags that all commands share.
type app struct {
	in *os.File
	// out receives data; talk receives progress, hints and errors.
	out, talk *console.Stream
	getenv    func(string) string

	// url, json, strong, auth, profile and region are flags of every command.
	url                   string
	json, strong          bool
	auth, profile, region string
	// identity is that of the requests, once there is a client.
	identity identity
	// started is set once the command line has been parsed.
	started bool
}

// runCommandLine executes a command line and returns its exit code.
func (a *app) runCommandLine(ctx context.Context, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	failure := a.commandErrorOf(ctx, command, err)
	a.talk.Line("datastorage: %s", failure.Error())
	return failure.code
}

// serviceURL returns the flag --url, else DATASTORAGE_URL, else the local stack's address.
func (a *app) serviceURL() string {
	for _, url := range []string{a.url, a.getenv("DATASTORAGE_URL")} {
		if url != "" {
			return url
		}
	}
	return defaultURL
}

// newClient returns a client of the service, with the identity and the consistency of the command line.
func (a *app) newClient(ctx context.Context, options ...client.Option) (*client.Client, error) {
	sign, err := a.identify(ctx)
	if err != nil {
		return nil, err
	}
	options = append(options, client.WithUserAgent("datastorage-cli"))
	if sign != nil {
		options = append(options, client.WithSigner(sign))
	}
	api, err := client.New(a.serviceURL(), options...)
	if err != nil {
		return nil, newCommandError(exitUsage, "invalid service URL", err, "datastorage list --url "+defaultURL)
	}
	if a.strong {
		api = api.Strong()
	}
	return api, nil
}

// requestTimeout bounds one attempt: API Gateway responds for a silent function after 30 s.
const requestTimeout = 35 * time.Second

// responseRecorder keeps the body of the last response, so that --json can print it unchanged. It is not safe for concurrent calls.
type responseRecorder struct{ body bytes.Buffer }

// clientOption makes a client record its responses.
func (t *responseRecorder) clientOption() client.Option {
	return client.WithHTTPClient(&http.Client{
		Transport:     t,
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
}

// RoundTrip records the body while the client reads it.
func (t *responseRecorder) RoundTrip(request *http.Request) (*http.Response, error) {
	t.body.Reset()
	response, err := http.DefaultTransport.RoundTrip(request)
	if err == nil {
		response.Body = recordedBody{io.TeeReader(response.Body, &t.body), response.Body}
	}
	return response, err
}

type recordedBody struct {
	io.Reader
	io.Closer
}

// printResponse prints the last response unchanged with --json, and otherwise calls print.
func (a *app) printResponse(recorder *responseRecorder, print func() error) error {
	if a.json {
		return a.out.JSON(recorder.body.Bytes())
	}
	return print()
}
