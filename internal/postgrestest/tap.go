package postgrestest

import (
	"bufio"
	endian "encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Tap is a proxy between a client and PostgreSQL that reads every message the client sends. It counts round
// trips, records the statements, breaks connections on request, and fails the test on anything for which RDS
// Proxy would pin or refuse the connection ("Avoiding pinning an RDS Proxy" in the Amazon RDS User Guide). Its
// methods may be called concurrently.
type Tap struct {
	listener net.Listener
	server   string
	url      url.URL
	// done is closed at the end of the test.
	done  chan struct{}
	links sync.WaitGroup

	mu         sync.Mutex
	open       map[net.Conn]bool
	checked    map[string]bool
	violations []string
	statements []Statement
	roundTrips int
	traps      []*trap
	// generation counts the calls of Forget.
	generation int
}

// Statement is one execution of a statement, with its parameters as sent over the wire.
type Statement struct {
	SQL string
	// OIDs, Formats and Values have one element per parameter; a nil value is NULL.
	OIDs    []uint32
	Formats []int16
	Values  [][]byte
}

// Name returns sqlc's name of the statement, or an empty string.
func (s Statement) Name() string {
	rest, found := strings.CutPrefix(s.SQL, "-- name: ")
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, " ")
	return name
}

// trap is a failure that is triggered by a statement.
type trap struct {
	text string
	skip int
	// spring causes the failure, and reports whether the request is sent to the server.
	spring func(*link) bool
}

// NewTap makes a tap in front of the database at databaseURL, without TLS. When the test ends, the tap closes
// and reports statements that would pin and requested failures that were never triggered.
func NewTap(tb testing.TB, databaseURL string) *Tap {
	tb.Helper()
	target, err := url.Parse(databaseURL)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	t := &Tap{listener: listener, server: poolerAddress(tb, target.Host), url: *target, done: make(chan struct{})}
	t.open, t.checked = map[net.Conn]bool{}, map[string]bool{}
	t.url.Host = listener.Addr().String()
	t.links.Go(t.acceptConnections)
	tb.Cleanup(func() {
		t.closeListener()
		for _, violation := range t.violations {
			tb.Errorf("RDS Proxy would pin or refuse: %s", violation)
		}
		for _, armed := range t.traps {
			tb.Errorf("no statement triggered the failure set for %q", armed.text)
		}
	})
	return t
}

// URL returns the database's URL through the tap, for the same role.
func (t *Tap) URL() string { return t.url.String() }

// Statements returns the statements executed since the start or the last Reset, in the
// order sent, without the pool's pings.
func (t *Tap) Statements() []Statement {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.statements)
}

// RoundTrips returns how often a client sent something and waited for the server to be ready again, since the
// start or the last Reset. It does not count connecting and the pool's pings.
func (t *Tap) RoundTrips() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.roundTrips
}

// Reset clears the recorded statements and round trips.
func (t *Tap) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.statements, t.roundTrips = nil, 0
}

// CutBefore cuts the connection instead of sending the next request that executes a statement with the given
// text, after skip such requests. Like the other failures, it happens once.
func (t *Tap) CutBefore(text string, skip int) {
	t.armTrap(text, skip, func(*link) bool { return false })
}

// CutAfter lets the server complete the request, then cuts the connection instead of sending the response. The
// client cannot tell the outcome, for example of a commit.
func (t *Tap) CutAfter(text string, skip int) {
	t.armTrap(text, skip, func(l *link) bool {
		l.swallow.Store(true)
		return true
	})
}

// Stall does not send the request to the server, and leaves the connection open until the
// client gives up or the test ends.
func (t *Tap) Stall(text string, skip int) {
	t.armTrap(text, skip, func(l *link) bool {
		// A client that gives up sends Terminate.
		_, _ = readMessage(l.reader)
		return false
	})
}

// Before calls do before it sends the request.
func (t *Tap) Before(text string, skip int, do func()) {
	t.armTrap(text, skip, func(*link) bool {
		do()
		return true
	})
}

func (t *Tap) armTrap(text string, skip int, spring func(*link) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.traps = append(t.traps, &trap{text: text, skip: skip, spring: spring})
}

func (t *Tap) closeListener() {
	close(t.done)
	_ = t.listener.Close()
	t.CutAll()
	t.links.Wait()
}

// CutAll cuts every open connection, as when the proxy or the network fails.
func (t *Tap) CutAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for conn := range t.open {
		_ = conn.Close()
	}
}

// Forget makes every open connection silently dead, as when the network drops a connection while one end is
// frozen: whatever either end sends is lost, and neither end sees an error. New connections work.
func (t *Tap) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generation++
}

func (t *Tap) isForgotten(l *link) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return l.generation != t.generation
}

func (t *Tap) acceptConnections() {
	for {
		client, err := t.listener.Accept()
		if err != nil {
			return
		}
		t.links.Go(func() { t.serveConnection(client) })
	}
}

// trackConnection adds a connection to those that are cut at the end. It returns false after the end.
func (t *Tap) trackConnection(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.done:
		_ = conn.Close()
		return false
	default:
		t.open[conn] = true
		return true
	}
}

func (t *Tap) untrackConnection(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, conn)
	_ = conn.Close()
}

func (t *Tap) serveConnection(client net.Conn) {
	if !t.trackConnection(client) {
		return
	}
	defer t.untrackConnection(client)
	server, err := net.Dial("tcp4", t.server) //nolint:noctx // cut by close like every connection of the tap
	if err != nil || !t.trackConnection(server) {
		return
	}
	defer t.untrackConnection(server)
	t.mu.Lock()
	generation := t.generation
	t.mu.Unlock()
	l := &link{tap: t, generation: generation, client: client, server: server, reader: bufio.NewReader(client), texts: map[string]*pgproto3.Parse{}}
	if !l.relayStartup() {
		return
	}
	t.links.Go(l.relayResponses)
	l.relayRequests()
}

// checkStatement checks the text of a statement, once per text.
func (t *Tap) checkStatement(sql string) {
	t.mu.Lock()
	known := t.checked[sql]
	t.checked[sql] = true
	t.mu.Unlock()
	if known {
		return
	}
	for _, reason := range pinningReasons(sql) {
		t.reportViolation("%s in %.120q", reason, sql)
	}
}

func (t *Tap) reportViolation(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.violations = append(t.violations, fmt.Sprintf(format, args...))
}

// recordStatements records a request and returns the trap that it triggers, or nil.
func (t *Tap) recordStatements(statements []Statement) *trap {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(statements) == 1 && statements[0].SQL == "-- ping" {
		return nil
	}
	t.roundTrips++
	t.statements = append(t.statements, statements...)
	for i, armed := range t.traps {
		if !slices.ContainsFunc(statements, func(s Statement) bool { return strings.Contains(s.SQL, armed.text) }) {
			continue
		}
		if armed.skip--; armed.skip < 0 {
			t.traps = slices.Delete(t.traps, i, i+1)
			return armed
		}
	}
	return nil
}

// link is one connection from a client to the server.
type link struct {
	tap            *Tap
	generation     int
	client, server net.Conn
	reader         *bufio.Reader // reads what the client sends
	// swallow keeps the server's response from the client.
	swallow atomic.Bool

	// The current request: its bytes and the statements it executes.
	bytes      []byte
	statements []Statement
	texts      map[string]*pgproto3.Parse // by statement name
	bound      Statement
}

// cancelRequest is the code in place of the protocol version ("Canceling Requests in
// Progress", PostgreSQL documentation).
const cancelRequest = 80877102

// relayStartup forwards the startup message, and reports whether a session follows.
func (l *link) relayStartup() bool {
	var length [4]byte
	if _, err := io.ReadFull(l.reader, length[:]); err != nil {
		return false
	}
	body := make([]byte, max(0, int(endian.BigEndian.Uint32(length[:]))-len(length)))
	if _, err := io.ReadFull(l.reader, body); err != nil || len(body) < 4 {
		return false
	}
	if _, err := l.server.Write(append(length[:], body...)); err != nil {
		return false
	}
	if endian.BigEndian.Uint32(body) == cancelRequest {
		// The server acknowledges a cancel request by closing the connection.
		_, _ = io.Copy(io.Discard, l.server)
		return false
	}
	var startup pgproto3.StartupMessage
	if err := startup.Decode(body); err != nil {
		l.tap.reportViolation("startup message: %v", err)
		return false
	}
	for name := range startup.Parameters {
		if !slices.Contains(startupParameters(), strings.ToLower(name)) {
			l.tap.reportViolation("startup parameter %s", name)
		}
	}
	return true
}

// relayRequests forwards what the client sends, one whole request at a time.
func (l *link) relayRequests() {
	defer l.cutConnection()
	for {
		message, err := readMessage(l.reader)
		if err != nil {
			return
		}
		if l.tap.isForgotten(l) {
			continue
		}
		l.bytes = append(l.bytes, message...)
		if err := l.noteMessage(message[0], message[5:]); err != nil {
			l.tap.reportViolation("message %q: %v", message[0], err)
			return
		}
		if strings.IndexByte("PBDEC", message[0]) >= 0 {
			continue
		}
		if (message[0] == 'Q' || message[0] == 'S') && !l.finishRequest() {
			return
		}
		if _, err := l.server.Write(l.bytes); err != nil {
			return
		}
		l.bytes = nil
	}
}

// finishRequest records a complete request, and reports whether to send it.
func (l *link) finishRequest() bool {
	sprung := l.tap.recordStatements(l.statements)
	l.statements = nil
	return sprung == nil || sprung.spring(l)
}

// noteMessage records one message of the client.
func (l *link) noteMessage(kind byte, body []byte) error {
	// Decode retains parts of its argument.
	body = slices.Clone(body)
	switch kind {
	case 'Q':
		var query pgproto3.Query
		if err := query.Decode(body); err != nil {
			return err
		}
		l.tap.checkStatement(query.String)
		l.statements = append(l.statements, Statement{SQL: query.String})
	case 'P':
		var parse pgproto3.Parse
		if err := parse.Decode(body); err != nil {
			return err
		}
		if parse.Name != "" {
			l.tap.reportViolation("named prepared statement %s", parse.Name)
		}
		l.tap.checkStatement(parse.Query)
		l.texts[parse.Name] = &parse
	case 'B':
		var bind pgproto3.Bind
		if err := bind.Decode(body); err != nil {
			return err
		}
		l.noteBind(bind)
	case 'E':
		l.statements = append(l.statements, l.bound)
	}
	return nil
}

func (l *link) noteBind(bind pgproto3.Bind) {
	l.bound = Statement{Formats: bind.ParameterFormatCodes, Values: bind.Parameters}
	if parse := l.texts[bind.PreparedStatement]; parse != nil {
		l.bound.SQL, l.bound.OIDs = parse.Query, parse.ParameterOIDs
	}
}

// relayResponses forwards what the server sends.
func (l *link) relayResponses() {
	defer l.cutConnection()
	reader, writer := bufio.NewReader(l.server), bufio.NewWriter(l.client)
	for {
		message, err := readMessage(reader)
		if err != nil {
			return
		}
		if l.tap.isForgotten(l) {
			continue
		}
		if l.swallow.Load() {
			if message[0] == 'Z' {
				return
			}
			continue
		}
		if _, err := writer.Write(message); err != nil {
			return
		}
		if reader.Buffered() == 0 && writer.Flush() != nil {
			return
		}
	}
}

func (l *link) cutConnection() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// readMessage reads one whole message: type, length and body.
func readMessage(r io.Reader) ([]byte, error) {
	message := make([]byte, 5)
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, err
	}
	length := endian.BigEndian.Uint32(message[1:])
	if length < 4 || length > 1<<30 {
		return nil, fmt.Errorf("message %q of %d bytes", message[0], length)
	}
	message = append(message, make([]byte, length-4)...)
	_, err := io.ReadFull(r, message[5:])
	return message, err
}
