package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
)

// build is a build of the command line that runs the local stack on a database of its own.
type build struct {
	database string
	url      string
	cmd      *exec.Cmd
	http     *http.Client
}

// startBuilds builds and starts this build and, with -base, the build of that commit. They run as users run them, in one process with
// the gateway and the functions.
func (h *httpBench) startBuilds(ctx context.Context) error {
	root, err := program.DefaultDir()
	if err != nil {
		return err
	}
	root = filepath.Dir(root)
	// It makes the roles.
	if err := h.server.Bootstrap(ctx, "bench_http"); err != nil {
		return err
	}
	if err := h.startBuild(ctx, "bench_http_new", root); err != nil || h.options.base == "" {
		return err
	}
	source := filepath.Join(h.dir, "base")
	if err := checkOut(ctx, root, h.options.base, source); err != nil {
		return fmt.Errorf("check out %s: %w", h.options.base, err)
	}
	return h.startBuild(ctx, "bench_http_base", source)
}

// checkOut writes the files of a commit into a folder.
func checkOut(ctx context.Context, repository, commit, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	archive, err := runProgram(exec.CommandContext(ctx, "git", "-C", repository, "archive", commit))
	if err != nil {
		return err
	}
	extract := exec.CommandContext(ctx, "tar", "-x", "-C", folder)
	extract.Stdin = bytes.NewReader(archive)
	_, err = runProgram(extract)
	return err
}

// runProgram returns what a program wrote to standard output; what it wrote to standard error is in its error.
func runProgram(cmd *exec.Cmd) ([]byte, error) {
	output, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, lastBytes(failed.Stderr))
	}
	return output, err
}

// startBuild builds the source and starts its local stack in a folder of its own, where it finds its template.
func (h *httpBench) startBuild(ctx context.Context, database, source string) error {
	h.logProgress("http: build %s", source)
	folder := filepath.Join(h.dir, database)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	template, err := os.ReadFile(filepath.Join(source, "template.yaml"))
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"template.yaml": template, "go.mod": nil} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	compile := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(folder, "datastorage"), "./cmd/datastorage")
	compile.Dir = source
	if _, err := runProgram(compile); err != nil {
		return fmt.Errorf("build %s: %w", source, err)
	}
	if err := h.createEmptyDatabase(ctx, database); err != nil {
		return err
	}
	port, err := program.FreePort(ctx)
	if err != nil {
		return err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	b := &build{database: database, url: "http://" + addr, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	b.cmd = exec.CommandContext(ctx, filepath.Join(folder, "datastorage"), "dev", "--addr", addr)
	b.cmd.Dir = folder
	b.cmd.Env = append(os.Environ(), "DATASTORAGE_DATABASE_URL="+h.server.URL(pgserver.AdminRole, database), "DATASTORAGE_DATABASE_MAX_CONNS=16")
	b.cmd.Cancel = func() error { return b.cmd.Process.Signal(os.Interrupt) }
	if err := b.cmd.Start(); err != nil {
		return err
	}
	h.builds = append(h.builds, b)
	return b.awaitHealth(ctx)
}

func (b *build) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := b.send(ctx, "/health", nil, http.StatusOK)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (b *build) stop() error {
	if err := b.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return b.cmd.Wait()
}

// send makes a request, a POST if there is a body, and demands the status of its response.
func (b *build) send(ctx context.Context, path string, body []byte, status int) error {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, b.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := b.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != status {
		err = fmt.Errorf("%s: the response is %d: %.300s", path, response.StatusCode, text)
	}
	return err
}

// processorTime returns the seconds of processor time that the process has used.
func (b *build) processorTime() float64 {
	own, _ := processTimes(b.cmd.Process.Pid)
	return own
}
