// Package localstack runs Server, which serves AWS APIs such as SQS and Secrets Manager, on this machine.
//
// It does not know what is stored there.
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

// version is the last community release; compose.yaml names the same as an image.
const version = "4.14.0"

// Config says which services Start shall offer.
type Config struct {
	// Dir receives the downloaded programs. Empty: DefaultDir.
	Dir string
	// Services by their names in the AWS CLI: sqs, secretsmanager, kms, s3, …
	Services []string
	// URL is a Server that runs already, to use in place of a private one. Empty: none.
	URL string
	// Progress receives a line for the download. Nil: nobody.
	Progress io.Writer
	// Log receives what the server prints. Nil: nobody.
	Log io.Writer
}

// Server is a server of AWS's services that this process owns: it listens on the loopback interface alone, and it ends when we do,
// however we end. What it holds is lost with it.
type Server struct {
	endpoint string
	scratch  string
	server   *exec.Cmd
	ended    <-chan struct{}
	close    func() error
}

// Start installs Server if it is missing, starts it on a free port and returns once it answers. What a person can mend is a
// *Problem.
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

// Endpoint is the address of every service: http://127.0.0.1:port.
func (l *Server) Endpoint() string { return l.endpoint }

// Config makes clients of the AWS SDK speak to this server. It takes any credentials.
func (l *Server) Config() aws.Config {
	return aws.Config{
		Region:       Region,
		Credentials:  Credentials(),
		BaseEndpoint: aws.String(l.endpoint),
	}
}

// Region is the region of what Server holds here.
const Region = "us-east-1"

// Credentials are the static credentials of Config.
func Credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(accessKey, accessKey, "")
}

// accessKey stands in for credentials, which Server does not look at.
const accessKey = "test"

// Done is closed when the server has ended, for whatever reason; nil for one that is not ours.
func (l *Server) Done() <-chan struct{} { return l.ended }

// Close ends the server and removes what it kept on disk. Closing twice is no error.
func (l *Server) Close() error { return l.close() }

// launchScript runs Server for as long as somebody holds the other end of its standard input, and binds its port on the loopback interface
// (localstack/runtime/server/twisted.py binds every one, whatever GATEWAY_LISTEN says).
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
	// The server outlives the call that starts it; Close ends it.
	l.server = exec.CommandContext(context.WithoutCancel(ctx), python, "-c", launchScript)
	l.server.Env = serverEnvironment(port, folder, scratch, config.Services)
	l.server.Dir = scratch
	l.server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	l.server.Stdout, l.server.Stderr = log, log
	// Our end of the pipe stays open as long as we are there, and nobody writes to it.
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

// serverEnvironment has nothing of ours but what programs need: Server takes its settings from there.
func serverEnvironment(port int, folder, scratch string, services []string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + scratch, "TMPDIR=" + scratch, "FILESYSTEM_ROOT=" + scratch, "LANG=C.UTF-8", "PYTHONPATH=" + folder,
		"GATEWAY_LISTEN=127.0.0.1:" + strconv.Itoa(port), "SERVICES=" + strings.Join(services, ","),
		"SQS_ENDPOINT_STRATEGY=dynamic", "SQS_DISABLE_CLOUDWATCH_METRICS=1", "LS_LOG=warning",
		// It calls nobody: no certificate, no statistics, no name server of its own.
		"SKIP_SSL_CERT_DOWNLOAD=1", "DISABLE_EVENTS=1", "DNS_ADDRESS=0",
	}
}

// startTimeout is how long a start may take on a machine that is busy with others: it takes some 3 s on one that is not.
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
			return fmt.Errorf("LocalStack at %s does not answer: %w", l.endpoint, errors.Join(ctx.Err(), err))
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
		return fmt.Errorf("its health is %s", response.Status)
	}
	return nil
}

// killServer kills the server with all that it started: it has nothing to save.
func (l *Server) killServer() error {
	if err := syscall.Kill(-l.server.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill LocalStack: %w", err)
	}
	<-l.ended
	return os.RemoveAll(l.scratch)
}
