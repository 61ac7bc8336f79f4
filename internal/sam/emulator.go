package sam

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
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/datastorage-service/datastorage/internal/program"
)

// defaultTimeout is the timeout of a function without a configured one.
const defaultTimeout = 30 * time.Second

// EmulatorConfig describes the function that StartEmulator runs.
type EmulatorConfig struct {
	// Bootstrap is the built function, for this machine. Required.
	Bootstrap string
	// Settings are the environment variables of the function, in addition to those that Lambda sets.
	Settings map[string]string
	// Timeout is the timeout of the function. Zero means 30 s.
	Timeout time.Duration
	// Dir receives the downloaded emulator. Empty means program.DefaultDir.
	Dir string
	// Progress receives a line for the download. Nil discards it.
	Progress io.Writer
	// Log receives the output of the function, with its metrics, and of the emulator. Nil discards
	// it.
	Log io.Writer
}

// Emulator is the Runtime Interface Emulator of AWS with one function, which it starts at the first
// invocation and again after it has ended. It handles one invocation at a time, and ends with this
// process.
type Emulator struct {
	url   string
	cmd   *exec.Cmd
	log   *program.Output
	ended <-chan struct{}
}

// StartEmulator installs the emulator, a program for Linux, if it is missing, and returns once it
// accepts invocations. An error that the user can fix is a *program.Problem.
func StartEmulator(ctx context.Context, config EmulatorConfig) (*Emulator, error) {
	if err := config.setDefaults(); err != nil {
		return nil, err
	}
	installed, err := program.Installer{Dir: config.Dir, Python: "python3", Progress: config.Progress}.InstallWheel(ctx, emulatorWheel())
	if err != nil {
		return nil, err
	}
	executable := filepath.Join(installed, emulatorPrograms()[runtime.GOARCH])
	if err := os.Chmod(executable, 0o755); err != nil { //nolint:gosec // the wheel does not record it as executable
		return nil, err
	}
	port, err := program.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	runtimePort, err := program.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	address, runtimeAPI := net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), net.JoinHostPort("127.0.0.1", strconv.Itoa(runtimePort))
	e := &Emulator{url: "http://" + address + "/2015-03-31/functions/function/invocations", log: &program.Output{Writer: config.Log}}
	e.cmd = exec.CommandContext(context.WithoutCancel(ctx), executable,
		"--runtime-interface-emulator-address", address, "--runtime-api-address", runtimeAPI, config.Bootstrap)
	e.cmd.Env = config.environment()
	e.cmd.Stdout, e.cmd.Stderr = e.log, e.log
	e.cmd.SysProcAttr = program.ChildAttributes(syscall.SysProcAttr{})
	if e.ended, err = program.Spawn(e.cmd); err != nil {
		return nil, err
	}
	if err := e.awaitReady(ctx, address); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	return e, nil
}

func (c *EmulatorConfig) setDefaults() (err error) {
	if c.Bootstrap == "" {
		return errors.New("emulator: Bootstrap must be set")
	}
	if c.Bootstrap, err = filepath.Abs(c.Bootstrap); err != nil {
		return err
	}
	if c.Dir == "" {
		if c.Dir, err = program.DefaultDir(); err != nil {
			return err
		}
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return nil
}

// environment returns the variables that Lambda sets, and the settings. PATH is the only variable
// inherited from this process.
func (c *EmulatorConfig) environment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "AWS_LAMBDA_FUNCTION_NAME=" + filepath.Base(filepath.Dir(c.Bootstrap)),
		"AWS_LAMBDA_FUNCTION_TIMEOUT=" + strconv.Itoa(int(c.Timeout.Seconds())), "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
	}
	for name, value := range c.Settings {
		env = append(env, name+"="+value)
	}
	return env
}

// awaitReady waits until the emulator listens.
func (e *Emulator) awaitReady(ctx context.Context, address string) error {
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-e.ended:
			return &program.Problem{What: "Lambda's emulator did not start", Why: program.LastLines(e.log.End(), 3), Next: "rm -r .local/aws-sam-cli-*   # and try again", Err: err}
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Invoke sends an event and returns what the function returned; for a failed invocation, that is a
// JSON object with errorType and errorMessage.
func (e *Emulator) Invoke(ctx context.Context, event []byte) (result []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("invoke the emulator's function: %w", err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	return io.ReadAll(response.Body)
}

// Functions returns the process id of the function, or nothing before the first invocation.
func (e *Emulator) Functions(ctx context.Context) ([]int, error) {
	return program.Children(ctx, e.cmd.Process.Pid)
}

// Stop kills the emulator and its function.
func (e *Emulator) Stop() error {
	select {
	case <-e.ended:
		return nil
	default:
	}
	if err := program.KillTree(context.Background(), e.cmd.Process.Pid); err != nil {
		return fmt.Errorf("stop Lambda's emulator: %w", err)
	}
	<-e.ended
	return nil
}
