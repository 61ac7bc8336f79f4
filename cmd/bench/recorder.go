package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// statement is one execution as it was sent: executing it again is the same work for the server, to the byte.
type statement struct {
	sql     string
	oids    []uint32
	values  [][]byte
	formats []int16
	results []int16
}

// queryName returns the statement's name in queries/.
func (s statement) queryName() string {
	_, after, _ := strings.Cut(s.sql, "-- name: ")
	name, _, _ := strings.Cut(after, " ")
	return name
}

// replayOn executes the statement with the bare driver: parse, bind, describe and execute in one round trip. The rows are read and
// discarded.
func (s statement) replayOn(ctx context.Context, conn *pgconn.PgConn) error {
	result := conn.ExecParams(ctx, s.sql, s.values, s.oids, s.formats, s.results)
	for result.NextRow() {
	}
	_, err := result.Close()
	return err
}

// parameterTexts returns the parameters in text form, as the server writes them; NULL is the empty text.
func (s statement) parameterTexts(ctx context.Context, conn *pgconn.PgConn) ([]string, error) {
	columns := make([]string, len(s.values))
	for i := range columns {
		columns[i] = fmt.Sprintf("$%d::text", i+1)
	}
	result := conn.ExecParams(ctx, "SELECT "+strings.Join(columns, ", "), s.values, s.oids, s.formats, nil).Read()
	if result.Err != nil {
		return nil, fmt.Errorf("write the parameters as text: %w", result.Err)
	}
	texts := make([]string, len(s.values))
	for i, value := range result.Rows[0] {
		texts[i] = string(value)
	}
	return texts, nil
}

// statementRecorder relays between a function and the server and records what is executed, for the floors. It is never in the path of a
// measurement.
type statementRecorder struct {
	listener net.Listener
	server   string
	links    sync.WaitGroup

	mu         sync.Mutex
	statements []statement
}

func newStatementRecorder(ctx context.Context, port int) (*statementRecorder, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the recorder: %w", err)
	}
	r := &statementRecorder{listener: listener, server: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	r.links.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			r.links.Go(func() { r.relayConnection(client) })
		}
	})
	return r, nil
}

// recordingURL returns the URL of the same database through the recorder.
func (r *statementRecorder) recordingURL(direct string) string {
	u, err := url.Parse(direct)
	if err != nil {
		return direct
	}
	u.Host = r.listener.Addr().String()
	return u.String()
}

// takeStatements returns what was executed since the last call.
func (r *statementRecorder) takeStatements() []statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.statements
	r.statements = nil
	return taken
}

// closeListener stops the recorder after its clients have disconnected.
func (r *statementRecorder) closeListener() {
	_ = r.listener.Close()
	r.links.Wait()
}

func (r *statementRecorder) relayConnection(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp4", r.server) //nolint:noctx // the other end is on this machine and is ours
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	r.links.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	r.relayMessages(bufio.NewReader(client), server)
}

// relayMessages follows the client's messages: the startup message has no type, every other one does (PostgreSQL's documentation, "Message
// Formats"). A statement is recorded before the server receives it, so it is there once its result is.
func (r *statementRecorder) relayMessages(client io.Reader, server io.Writer) {
	var message bytes.Buffer
	client = io.TeeReader(client, &message)
	if _, err := readMessage(client); err != nil {
		return
	}
	var (
		kind   [1]byte
		parsed statement
	)
	for {
		if _, err := message.WriteTo(server); err != nil {
			return
		}
		if _, err := io.ReadFull(client, kind[:]); err != nil {
			return
		}
		body, err := readMessage(client)
		if err != nil {
			return
		}
		switch kind[0] {
		case 'P':
			var parse pgproto3.Parse
			if parse.Decode(body) == nil {
				parsed = statement{sql: parse.Query, oids: parse.ParameterOIDs}
			}
		case 'B':
			r.recordBind(parsed, body)
		}
	}
}

func (r *statementRecorder) recordBind(parsed statement, body []byte) {
	var bind pgproto3.Bind
	if bind.Decode(body) != nil || parsed.queryName() == "" {
		return
	}
	parsed.values, parsed.formats, parsed.results = bind.Parameters, bind.ParameterFormatCodes, bind.ResultFormatCodes
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements = append(r.statements, parsed)
}

func readMessage(from io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(length[:])-4)
	_, err := io.ReadFull(from, body)
	return body, err
}
