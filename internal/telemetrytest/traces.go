package telemetrytest

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"
)

// TraceDaemon receives datagrams in place of the X-Ray daemon.
type TraceDaemon struct {
	// Address is the UDP address on which it listens.
	Address string
	conn    *net.UDPConn
}

// Segment has the fields of a segment document that tests check.
type Segment struct {
	Name        string         `json:"name"`
	ID          string         `json:"id"`
	TraceID     string         `json:"trace_id"`
	ParentID    string         `json:"parent_id"`
	Type        string         `json:"type"`
	Start       float64        `json:"start_time"`
	End         float64        `json:"end_time"`
	Namespace   string         `json:"namespace"`
	Error       bool           `json:"error"`
	Fault       bool           `json:"fault"`
	SQL         map[string]any `json:"sql"`
	Annotations map[string]any `json:"annotations"`
	Subsegments []Segment      `json:"subsegments"`
	// Text is the whole datagram as received.
	Text string `json:"-"`
}

// NewTraceDaemon starts a daemon that listens until the test ends.
func NewTraceDaemon(tb testing.TB) *TraceDaemon {
	tb.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return &TraceDaemon{Address: conn.LocalAddr().String(), conn: conn}
}

// Next waits for a datagram and checks its format against the X-Ray developer guide.
func (d *TraceDaemon) Next(tb testing.TB) Segment {
	tb.Helper()
	if err := d.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	datagram := make([]byte, 1<<16)
	n, err := d.conn.Read(datagram)
	if err != nil {
		tb.Fatalf("no segment arrived: %v", err)
	}
	text := string(datagram[:n])
	header, document, _ := strings.Cut(text, "\n")
	var announced struct {
		Format  string
		Version int
	}
	if err := json.Unmarshal([]byte(header), &announced); err != nil || announced.Format != "json" || announced.Version != 1 {
		tb.Errorf("header %s", header)
	}
	var segment Segment
	if err := json.Unmarshal([]byte(document), &segment); err != nil {
		tb.Fatalf("%v: %s", err, document)
	}
	segment.Text = text
	segment.checkForm(tb)
	return segment
}

func (s *Segment) checkForm(tb testing.TB) {
	tb.Helper()
	now := float64(time.Now().UnixMicro())/1e6 + 1
	if len(s.ID) != 16 || s.Name == "" || len([]rune(s.Name)) > 200 || s.Start < now-3600 || s.End < s.Start || s.End > now {
		tb.Errorf("segment %+v", s)
	}
	for i := range s.Subsegments {
		s.Subsegments[i].checkForm(tb)
		if s.Subsegments[i].Start < s.Start-1e-3 {
			tb.Errorf("%s began before %s", s.Subsegments[i].Name, s.Name)
		}
	}
}
