package localstack

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/datastorage-service/datastorage/internal/program"
)

// localStackVariable makes the test binary start a server, print its address, and wait.
const localStackVariable = "DATASTORAGE_LOCAL_TEST_LOCALSTACK"

func TestMain(m *testing.M) {
	if os.Getenv(localStackVariable) != "" {
		runChildLocalStack()
	}
	os.Exit(m.Run())
}

func runChildLocalStack() {
	l, err := Start(context.Background(), Config{Services: []string{"sqs"}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(l.Endpoint(), l.scratch)
	select {}
}

func startLocalStack(t *testing.T) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("starts LocalStack")
	}
	l, err := Start(t.Context(), Config{Services: []string{"sqs"}, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// TestLocalStack checks that a server listens only on the loopback interface, that Config.URL uses
// it, that its files are its own, in a container too, and that Close removes them.
func TestLocalStack(t *testing.T) {
	t.Parallel()
	l := startLocalStack(t)
	made, err := sqs.NewFromConfig(l.Config()).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q")})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(aws.ToString(made.QueueUrl), l.Endpoint()+"/") {
		t.Errorf("the queue is %s, the server %s", aws.ToString(made.QueueUrl), l.Endpoint())
	}
	address, err := url.Parse(l.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	// A server on every interface would accept connections to all of 127.0.0.0/8.
	if conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.2", address.Port()), time.Second); err == nil {
		_ = conn.Close()
		t.Error("it also listens on 127.0.0.2")
	}
	if _, err := os.Stat(filepath.Join(l.scratch, "var/lib/localstack/cache/server.test.pem")); err != nil {
		t.Errorf("the certificate is not among its files: %v", err)
	}
	other, err := Start(t.Context(), Config{URL: l.Endpoint() + "/"})
	if err != nil || other.Endpoint() != l.Endpoint() {
		t.Errorf("with Config.URL: %v, %v", other, err)
	}
	if err := errors.Join(other.Close(), l.checkHealth(t.Context()), l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if err := l.checkHealth(t.Context()); err == nil {
		t.Error("the server responds after Close")
	}
	if _, err := os.Stat(l.scratch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its files remain after Close: %v", err)
	}
}

// TestLocalStackNeedsItsPython checks the error on a machine without a suitable Python.
func TestLocalStackNeedsItsPython(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	var progress bytes.Buffer
	_, err := Start(t.Context(), Config{Dir: t.TempDir(), Services: []string{"sqs"}, Progress: &progress})
	var problem *program.Problem
	if !errors.As(err, &problem) || !strings.Contains(problem.What, "Python 3.11 to 3.13") || !strings.Contains(problem.Next, "DATASTORAGE_LOCALSTACK_URL") {
		t.Errorf("%v", err)
	}
	if progress.Len() > 0 {
		t.Errorf("it downloaded: %q", progress.String())
	}
}

// TestLocalStackUnreachable checks that the wait for a server ends with the context.
func TestLocalStackUnreachable(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, Config{URL: "http://127.0.0.1:1"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestLocalStackIsPinned checks that compose.yaml and the requirements have the same version, and
// packages their hashes.
func TestLocalStackIsPinned(t *testing.T) {
	t.Parallel()
	compose, err := os.ReadFile(filepath.Join("..", "..", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if image := "localstack/localstack:" + version; !bytes.Contains(compose, []byte(image)) {
		t.Errorf("compose.yaml has no %s", image)
	}
	for _, name := range []string{"localstack", "localstack-core", "setuptools"} {
		if text := string(findRequirement(name)); !strings.Contains(text, "--hash=sha256:") || strings.Count(text, "==") != 1 {
			t.Errorf("%s: %s", name, text)
		}
	}
	if !bytes.Contains(requirements, []byte("\nlocalstack-core=="+version)) {
		t.Errorf("the requirements have no localstack-core %s", version)
	}
}

// TestLocalStackEndsWithItsOwner checks that a server ends when the process that started it is killed.
func TestLocalStackEndsWithItsOwner(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts LocalStack")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), localStackVariable+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	endpoint, scratch, _ := strings.Cut(strings.TrimSpace(line), " ")
	t.Cleanup(func() { _ = os.RemoveAll(scratch) })
	l := &Server{endpoint: endpoint}
	if err := l.checkHealth(t.Context()); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the error is the kill
	for deadline := time.Now().Add(30 * time.Second); l.checkHealth(t.Context()) == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server outlives its owner")
		}
	}
}
