package postgrestest

import (
	"errors"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/datastorage-service/datastorage/internal/pgserver"
)

// PoolerVariable selects a pooler. If it is pgbouncer, PgBouncer runs in transaction mode
// between every Tap and its server.
const PoolerVariable = "DATASTORAGE_TEST_POOLER"

// Pooled reports whether taps connect through a pooler. With a pooler, a connection does
// not have a server process of its own.
func Pooled() bool { return os.Getenv(PoolerVariable) != "" }

// poolers are the poolers of this test binary, by the server's address. Each stops with its server.
var poolers = struct {
	sync.Mutex
	servers map[string]*pgserver.Server
	running map[string]*pgBouncer
}{servers: map[string]*pgserver.Server{}, running: map[string]*pgBouncer{}}

func serverAddress(server *pgserver.Server) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port()))
}

// poolerAddress returns the address of a pooler in front of the host if PoolerVariable selects one, else the host.
func poolerAddress(tb testing.TB, host string) string {
	tb.Helper()
	switch os.Getenv(PoolerVariable) {
	case "":
		return host
	case "pgbouncer":
	default:
		tb.Fatalf("%s must be pgbouncer", PoolerVariable)
	}
	poolers.Lock()
	defer poolers.Unlock()
	server := poolers.servers[host]
	if server == nil {
		return host // another tap or a proxy
	}
	if poolers.running[host] == nil {
		pooler, err := startPgBouncer(tb.Context(), pgBouncerConfig{Server: server, Data: newDataDir(), Progress: os.Stderr})
		if err != nil {
			tb.Fatal(err)
		}
		poolers.running[host] = pooler
	}
	return poolers.running[host].Address()
}

// ThroughPooler returns the database's URL, through the pooler if PoolerVariable selects one.
func ThroughPooler(tb testing.TB, databaseURL string) string {
	tb.Helper()
	target, err := url.Parse(databaseURL)
	if err != nil {
		tb.Fatal(err)
	}
	target.Host = poolerAddress(tb, target.Host)
	return target.String()
}

func keepPoolerOf(server *pgserver.Server) {
	poolers.Lock()
	defer poolers.Unlock()
	poolers.servers[serverAddress(server)] = server
}

// stopWithPooler stops a server and the pooler in front of it.
func stopWithPooler(server *pgserver.Server) error {
	poolers.Lock()
	defer poolers.Unlock()
	pooler := poolers.running[serverAddress(server)]
	delete(poolers.servers, serverAddress(server))
	delete(poolers.running, serverAddress(server))
	var err error
	if pooler != nil {
		err = errors.Join(pooler.Stop(), removeDataDir(pooler.Data()))
	}
	return errors.Join(err, server.Stop())
}
