package postgrestest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Proxy imitates the endpoint of RDS Proxy, because the private server has no TLS. It accepts only TLS, asks
// for a clear-text password, passes it to Admit, and connects the session to the real server with credentials
// of its own. Its methods may be called concurrently.
type Proxy struct {
	// Port is the port on 127.0.0.1; the certificate's name is localhost.
	Port     int
	config   ProxyConfig
	listener net.Listener

	sessions sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]bool
	closed   bool
}

// ProxyConfig configures a Proxy. All fields are required.
type ProxyConfig struct {
	// Target is the URL of the database without the proxy, with a valid password.
	Target string
	// Certificate is the proxy's server certificate.
	Certificate tls.Certificate
	// Admit checks the password that a client sent.
	Admit func(user, password string) bool
}

// NewProxy starts a proxy. It stops when the test ends.
func NewProxy(tb testing.TB, config ProxyConfig) *Proxy {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		tb.Fatalf("listening on %v", listener.Addr())
	}
	p := &Proxy{Port: address.Port, config: config, listener: listener, open: map[net.Conn]bool{}}
	p.sessions.Go(p.acceptConnections)
	tb.Cleanup(p.closeListener)
	return p
}

// URL returns the URL of the database through the proxy, for a role without a password.
func (p *Proxy) URL(tb testing.TB, role, sslmode string) string {
	tb.Helper()
	target, err := url.Parse(p.config.Target)
	if err != nil {
		tb.Fatal(err)
	}
	target.User, target.Host = url.User(role), fmt.Sprintf("localhost:%d", p.Port)
	target.RawQuery = "sslmode=" + sslmode
	return target.String()
}

// CutAll closes every open connection, as a failover does.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		_ = conn.Close()
	}
}

func (p *Proxy) closeListener() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.CutAll()
	p.sessions.Wait()
}

func (p *Proxy) acceptConnections() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.sessions.Go(func() { p.serveConnection(conn) })
	}
}

func (p *Proxy) trackConnection(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[conn] = !p.closed
	return !p.closed
}

func (p *Proxy) untrackConnection(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
	_ = conn.Close()
}

func (p *Proxy) serveConnection(conn net.Conn) {
	defer p.untrackConnection(conn)
	if !p.trackConnection(conn) {
		return
	}
	client, startup, err := p.authenticateClient(conn)
	if err != nil {
		return
	}
	backend := pgproto3.NewBackend(client, client)
	backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	if backend.Flush() != nil || backend.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	message, err := backend.Receive()
	password, ok := message.(*pgproto3.PasswordMessage)
	if err != nil || !ok {
		return
	}
	user := startup.Parameters["user"]
	if !p.config.Admit(user, password.Password) {
		refuseStartup(backend, "28P01", "password authentication failed for user "+user)
		return
	}
	p.relaySession(client, backend)
}

// authenticateClient negotiates TLS. It refuses clients that continue without TLS.
func (p *Proxy) authenticateClient(conn net.Conn) (net.Conn, *pgproto3.StartupMessage, error) {
	backend := pgproto3.NewBackend(conn, conn)
	first, err := backend.ReceiveStartupMessage()
	if err != nil {
		return nil, nil, err
	}
	if _, asked := first.(*pgproto3.SSLRequest); !asked {
		refuseStartup(backend, "28000", "This RDS Proxy requires TLS connections")
		return nil, nil, errors.New("no TLS")
	}
	if _, err := conn.Write([]byte("S")); err != nil {
		return nil, nil, err
	}
	secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{p.config.Certificate}, MinVersion: tls.VersionTLS12})
	second, err := pgproto3.NewBackend(secured, secured).ReceiveStartupMessage()
	if err != nil {
		return nil, nil, err
	}
	startup, ok := second.(*pgproto3.StartupMessage)
	if !ok {
		return nil, nil, errors.New("no startup message")
	}
	return secured, startup, nil
}

func refuseStartup(backend *pgproto3.Backend, code, message string) {
	backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message})
	_ = backend.Flush()
}

// relaySession logs in to the server and forwards messages in both directions.
func (p *Proxy) relaySession(client net.Conn, backend *pgproto3.Backend) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	own, err := pgconn.Connect(ctx, p.config.Target)
	if err != nil {
		var server *pgconn.PgError
		if errors.As(err, &server) {
			refuseStartup(backend, server.Code, server.Message)
		}
		return
	}
	server, err := own.Hijack()
	if err != nil || !p.trackConnection(server.Conn) {
		return
	}
	defer p.untrackConnection(server.Conn)
	backend.Send(&pgproto3.AuthenticationOk{})
	for name, value := range server.ParameterStatuses {
		backend.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	backend.Send(&pgproto3.BackendKeyData{ProcessID: server.PID, SecretKey: server.SecretKey})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if backend.Flush() != nil {
		return
	}
	p.sessions.Go(func() {
		_, _ = io.Copy(client, server.Conn)
		_ = client.Close()
	})
	_, _ = io.Copy(server.Conn, client)
}

// Authority is a certificate authority for one test.
type Authority struct {
	// File is the path of its certificate, in PEM.
	File string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes a certificate authority.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	a := &Authority{key: key, File: filepath.Join(tb.TempDir(), "ca.pem"), cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &key.PublicKey, key)
	if err == nil {
		err = os.WriteFile(a.File, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// Certificate issues a certificate for a server name.
func (a *Authority) Certificate(tb testing.TB, name string) tls.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
