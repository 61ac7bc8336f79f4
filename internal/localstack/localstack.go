// Package localstack runs Server, which serves AWS APIs such as SQS and Secrets Manager, on this machine.
//
// It does not know what is stored there.
package localstack

import (
	"bytes"
	"context"
	_ "embed"
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

// localStackVersion is the last community release; compose.yaml names the same as an image.
const localStackVersion = "4.14.0"

// localStackPython is the one version of Python that it runs on; pyproject.toml says why.
const localStackPython = "3.13"

// localStackRequirements are its packages, with their hashes.
//
//go:embed requirements.txt
var localStackRequirements []byte

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
	python, err := installLocalStack(ctx, config)
	if err != nil {
		return nil, err
	}
	l, err := launchLocalStack(ctx, python, config)
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
	return credentials.NewStaticCredentialsProvider(localKey, localKey, "")
}

// localKey stands in for credentials, which Server does not look at.
const localKey = "test"

// Done is closed when the server has ended, for whatever reason; nil for one that is not ours.
func (l *Server) Done() <-chan struct{} { return l.ended }

// Close ends the server and removes what it kept on disk. Closing twice is no error.
func (l *Server) Close() error { return l.close() }

// launch runs Server for as long as somebody holds the other end of its standard input, and binds its port on the loopback interface
// (localstack/runtime/server/twisted.py binds every one, whatever GATEWAY_LISTEN says).
const launch = `
import functools, os, runpy, signal, sys, threading
from twisted.internet import endpoints

endpoints.TCP4ServerEndpoint = functools.partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")

def end_with_owner():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)

threading.Thread(target=end_with_owner, daemon=True).start()
runpy.run_module("localstack.runtime.main", run_name="__main__")
`

func launchLocalStack(ctx context.Context, python string, config Config) (*Server, error) {
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
	l.close = sync.OnceValue(l.stop)
	// The server outlives the call that starts it; Close ends it.
	l.server = exec.CommandContext(context.WithoutCancel(ctx), python, "-c", launch)
	l.server.Env = localStackEnvironment(port, scratch, config.Services)
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

// localStackEnvironment has nothing of ours but what programs need: Server takes its settings from there.
func localStackEnvironment(port int, scratch string, services []string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + scratch, "TMPDIR=" + scratch, "FILESYSTEM_ROOT=" + scratch, "LANG=C.UTF-8",
		"GATEWAY_LISTEN=127.0.0.1:" + strconv.Itoa(port), "SERVICES=" + strings.Join(services, ","),
		"SQS_ENDPOINT_STRATEGY=dynamic", "SQS_DISABLE_CLOUDWATCH_METRICS=1", "LS_LOG=warning",
		// It calls nobody: no certificate, no statistics, no name server of its own.
		"SKIP_SSL_CERT_DOWNLOAD=1", "DISABLE_EVENTS=1", "DNS_ADDRESS=0",
	}
}

// localStackStart is how long a start may take on a machine that is busy with others: it takes some 3 s on one that is not.
const localStackStart = 90 * time.Second

func (l *Server) awaitReady(ctx context.Context, log *program.Output) error {
	ctx, cancel := context.WithTimeout(ctx, localStackStart)
	defer cancel()
	for {
		err := l.healthy(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-l.ended:
			return &program.Problem{What: "LocalStack did not start", Why: program.LastLines(log.End(), 4), Next: "rm -r .local/localstack-" + localStackVersion + "   # and try again"}
		case <-ctx.Done():
			return fmt.Errorf("LocalStack at %s does not answer: %w", l.endpoint, errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (l *Server) healthy(ctx context.Context) error {
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

// stop kills the server with all that it started: it has nothing to save.
func (l *Server) stop() error {
	if err := syscall.Kill(-l.server.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill LocalStack: %w", err)
	}
	<-l.ended
	return os.RemoveAll(l.scratch)
}

// installLocalStack makes a virtual environment that holds Server, and answers its interpreter.
func installLocalStack(ctx context.Context, config Config) (string, error) {
	path := filepath.Join(config.Dir, "localstack-"+localStackVersion)
	err := program.Once(ctx, path, func(staging string) (string, error) {
		started := time.Now()
		_, _ = fmt.Fprintf(config.Progress, "Downloading LocalStack %s (%d MB) … ", localStackVersion, localStackMegabytes)
		environment, err := fetchLocalStack(ctx, staging)
		if err != nil {
			_, _ = fmt.Fprintln(config.Progress, "failed")
			return "", err
		}
		_, _ = fmt.Fprintf(config.Progress, "done in %ds\n", int(time.Since(started).Seconds()+0.5))
		return environment, nil
	})
	if err != nil {
		return "", program.Explain("set up LocalStack", err, config.Dir)
	}
	return filepath.Join(path, "bin", "python3"), nil
}

// localStackMegabytes is what the requirements are to download, on linux/amd64.
const localStackMegabytes = 106

// fetchLocalStack fills a virtual environment inside staging. It runs wherever it is moved to, because only its interpreter is used. Three
// of the packages are built from source, by the setuptools that stand among the requirements: nothing without a hash is downloaded.
func fetchLocalStack(ctx context.Context, staging string) (string, error) {
	python, err := findPython(ctx)
	if err != nil {
		return "", err
	}
	environment := filepath.Join(staging, "environment")
	i := program.Installer{Python: python}
	if out, err := i.Run(ctx, python, "-m", "venv", environment); err != nil {
		return "", &program.Problem{
			What: "Python " + localStackPython + " cannot make a virtual environment",
			Why:  program.LastLines(out, 2), Next: "apt-get install python3-venv   # Debian, Ubuntu", Err: err,
		}
	}
	for name, requirements := range map[string][]byte{"all.txt": localStackRequirements, "setuptools.txt": requirement("setuptools")} {
		if err := os.WriteFile(filepath.Join(staging, name), requirements, 0o600); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"setuptools.txt", "all.txt"} {
		out, err := i.Run(ctx, filepath.Join(environment, "bin", "python3"), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes",
			"--no-build-isolation", "--no-cache-dir", "--retries=2", "--requirement="+filepath.Join(staging, name))
		if err != nil {
			return "", &program.Problem{
				What: "downloading LocalStack " + localStackVersion + " with pip did not work",
				Why:  program.LastLines(out, 4), Next: python + " -m pip download --no-deps localstack==" + localStackVersion + "   # shows pip's own view",
				Err: errors.Join(err, program.OutputError(out)),
			}
		}
	}
	return environment, nil
}

// requirement is one package of the requirements with its hashes.
func requirement(name string) []byte {
	_, rest, _ := bytes.Cut(localStackRequirements, []byte("\n"+name+"=="))
	var lines [][]byte
	for line := range bytes.Lines(append([]byte(name+"=="), rest...)) {
		lines = append(lines, line)
		if !bytes.HasSuffix(bytes.TrimSpace(line), []byte(`\`)) {
			break
		}
	}
	return bytes.Join(lines, nil)
}

// findPython finds an interpreter of the right version. What has the name may be a shim of pyenv's that refuses to run, so each is asked.
func findPython(ctx context.Context) (string, error) {
	candidates := []string{"python" + localStackPython, "python3"}
	if home, err := os.UserHomeDir(); err == nil {
		pyenv, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", localStackPython+".*", "bin", "python3"))
		candidates = append(candidates, pyenv...)
	}
	for _, candidate := range candidates {
		out, err := program.Installer{}.Run(ctx, candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
		if err == nil && strings.TrimSpace(out) == localStackPython {
			return candidate, nil
		}
	}
	return "", &program.Problem{
		What: "LocalStack needs Python " + localStackPython,
		Why:  "no " + strings.Join(candidates, ", ") + " answers with that version",
		Next: "apt-get install python3.13 python3.13-venv   # Debian 13; else pyenv install 3.13, or brew install python@3.13; with Docker: " +
			"docker compose up -d --wait localstack, and DATASTORAGE_LOCALSTACK_URL=http://127.0.0.1:4566",
		Err: ctx.Err(),
	}
}
