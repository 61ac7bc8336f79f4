// Package localstack runs LocalStack, which serves AWS APIs such as SQS and Secrets Manager, on
// this machine.
//
// It does not depend on what is stored there.
package localstack

import (
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
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/datastorage-service/datastorage/internal/program"
)

// version is the last community release; the image in compose.yaml is the same.
const version = "4.14.0"

// Config describes the server that Start runs.
type Config struct {
	// Dir receives the downloaded programs. Empty means program.DefaultDir.
	Dir string
	// Services names AWS services as the CLI does, such as sqs or secretsmanager.
	Services []string
	// URL is the address of a running LocalStack to use instead. Empty starts one.
	URL string
	// Progress receives a line for the download. Nil discards it.
	Progress io.Writer
	// Log receives the output of the server. Nil discards it.
	Log io.Writer
}

// Server is a LocalStack that this process owns. It listens only on the loopback interface, stops
// when this process ends, even by a kill, and then loses its data.
type Server struct {
	endpoint string
	scratch  string
	server   *exec.Cmd
	ended    <-chan struct{}
	close    func() error
}

// Start installs LocalStack if it is missing, starts it on a free port and returns once it
// responds. An error that the user can fix is a *program.Problem.
func Start(ctx context.Context, config Config) (*Server, error) {
	if config.URL != "" {
		l := &Server{endpoint: strings.TrimSuffix(config.URL, "/"), close: func() error { return nil }}
		return l, l.awaitReady(ctx, &program.Output{Writer: io.Discard})
	}
	if config.Progress == nil {
		config.Progress = io.Discard
	}
	var err error
	if config.Dir == "" {
		if config.Dir, err = program.DefaultDir(); err != nil {
			return nil, err
		}
	}
	if config.Dir, err = filepath.Abs(config.Dir); err != nil {
		return nil, err
	}
	python, folder, err := installPackages(ctx, config)
	if err != nil {
		return nil, err
	}
	l, err := launchServer(ctx, python, folder, config)
	if err != nil {
		return nil, program.Explain("start LocalStack", err, config.Dir)
	}
	return l, nil
}

// Endpoint returns the address of every service, http://127.0.0.1:port.
func (l *Server) Endpoint() string { return l.endpoint }

// Config returns the configuration for clients of the AWS SDK. The server accepts any credentials.
func (l *Server) Config() aws.Config {
	return aws.Config{
		Region:       Region,
		Credentials:  Credentials(),
		BaseEndpoint: aws.String(l.endpoint),
	}
}

// Region is the region of every resource.
const Region = "us-east-1"

// Credentials returns the credentials of Config.
func Credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(accessKey, accessKey, "")
}

// accessKey is a placeholder: LocalStack does not check credentials.
const accessKey = "test"

// Done returns a channel that is closed when the server has ended for any reason; nil for a server
// of Config.URL.
func (l *Server) Done() <-chan struct{} { return l.ended }

// Close stops the server and removes its files. Closing again does nothing.
func (l *Server) Close() error { return l.close() }

// launchScript runs LocalStack until its standard input is closed, and binds its port to the
// loopback interface: localstack/runtime/server/twisted.py ignores the address in GATEWAY_LISTEN
// and binds every interface.
const launchScript = `
import functools, os, runpy, signal, sys, threading
from twisted.internet import endpoints

endpoints.TCP4ServerEndpoint = functools.partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")

def end_with_owner():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)

threading.Thread(target=end_with_owner, daemon=True).start()
runpy.run_module("localstack.runtime.main", run_name="__main__")
`

func launchServer(ctx context.Context, python, folder string, config Config) (*Server, error) {
	port, err := program.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "datastorage-localstack-")
	if err != nil {
		return nil, err
	}
	log := &program.Output{Writer: config.Log}
	if log.Writer == nil {
		log.Writer = io.Discard
	}
	l := &Server{endpoint: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), scratch: scratch}
	l.close = sync.OnceValue(l.killServer)
	// The server outlives this call; Close stops it.
	l.server = exec.CommandContext(context.WithoutCancel(ctx), python, "-c", launchScript)
	l.server.Env = serverEnvironment(port, folder, scratch, config.Services)
	l.server.Dir = scratch
	l.server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	l.server.Stdout, l.server.Stderr = log, log
	// Nothing is written to the pipe; the system closes it when this process ends.
	if _, err = l.server.StdinPipe(); err == nil {
		l.ended, err = program.Spawn(l.server)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(scratch))
	}
	if err := l.awaitReady(ctx, log); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// serverEnvironment returns the settings of LocalStack. PATH is the only variable inherited from
// this process.
func serverEnvironment(port int, folder, scratch string, services []string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + scratch, "TMPDIR=" + scratch, "FILESYSTEM_ROOT=" + scratch, "LANG=C.UTF-8", "PYTHONPATH=" + folder,
		"GATEWAY_LISTEN=127.0.0.1:" + strconv.Itoa(port), "SERVICES=" + strings.Join(services, ","),
		"SQS_ENDPOINT_STRATEGY=dynamic", "SQS_DISABLE_CLOUDWATCH_METRICS=1", "LS_LOG=warning",
		// In a container LocalStack would write to /var/lib/localstack instead, where servers that start at once read each other's half-written certificate.
		"OVERRIDE_IN_DOCKER=0",
		// Disables the certificate download, usage statistics and the name server.
		"SKIP_SSL_CERT_DOWNLOAD=1", "DISABLE_EVENTS=1", "DNS_ADDRESS=0",
	}
}

// startTimeout allows for a busy machine; on an idle one a start takes about 3 s.
const startTimeout = 90 * time.Second

func (l *Server) awaitReady(ctx context.Context, log *program.Output) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := l.checkHealth(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-l.ended:
			return &program.Problem{What: "LocalStack did not start", Why: program.LastLines(log.End(), 4), Next: "rm -r .local/localstack-" + version + "   # and try again"}
		case <-ctx.Done():
			return fmt.Errorf("LocalStack at %s does not respond: %w", l.endpoint, errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (l *Server) checkHealth(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.endpoint+"/_localstack/health", nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("its health check returned %s", response.Status)
	}
	return nil
}

// killServer kills the server and its child processes. Its data need not be saved.
func (l *Server) killServer() error {
	if err := syscall.Kill(-l.server.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill LocalStack: %w", err)
	}
	<-l.ended
	return os.RemoveAll(l.scratch)
}
