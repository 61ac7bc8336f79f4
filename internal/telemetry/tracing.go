package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-xray-sdk-go/v2/strategy/ctxmissing"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/aws-xray-sdk-go/v2/xraylog"

	"github.com/datastorage-service/datastorage/internal/telemetry/internal/daemonenv"
)

// The SDK has been initialized without the daemon's address, which the rest of the process may read.
var _ = daemonenv.Restore()

// silenceSDK discards what the SDK logs. By default it writes to standard output, among the metrics; it logs
// what this package checks itself, and each document that no daemon has received. Once, because
// xray.SetLogger is not safe for concurrent use.
var silenceSDK = sync.OnceFunc(func() { xray.SetLogger(xraylog.NullLogger) })

// openTracing returns the SDK's configuration for traces that go to the daemon, or nil without an error if no daemon is
// configured or its host is unknown. It opens no socket.
//
// The configuration travels in the context of each segment. The SDK's process-wide configuration is not used: in it, the
// environment overrides code (AWS_XRAY_CONTEXT_MISSING=RUNTIME_ERROR makes the SDK panic), and so it does in
// xray.ContextWithConfig, which also dials the daemon each time.
func openTracing(address string) (*xray.Config, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // nil disables traces
	}
	daemon, err := resolveDaemon(address)
	if err != nil {
		return nil, fmt.Errorf("the X-Ray daemon's address: %w", err)
	}
	if daemon == nil {
		return nil, nil //nolint:nilnil // a function must start without traces
	}
	silenceSDK()
	emitter, err := xray.NewDefaultEmitter(daemon)
	if err != nil {
		return nil, fmt.Errorf("the X-Ray SDK's emitter: %w", err)
	}
	// The SDK counts the invocation's own subsegment, too.
	streaming, err := xray.NewDefaultStreamingStrategyWithMaxSubsegmentCount(maxSpansInDocument + 1)
	if err != nil {
		return nil, fmt.Errorf("the X-Ray SDK's streaming: %w", err)
	}
	return &xray.Config{
		Emitter: emitter, StreamingStrategy: streaming, ContextMissingStrategy: ctxmissing.NewDefaultIgnoreErrorStrategy(),
	}, nil
}

// lookupTimeout bounds the DNS lookup of the daemon's host.
const lookupTimeout = 500 * time.Millisecond

// resolveDaemon returns the UDP address in host:port or "tcp:host:port udp:host:port", or nil if the host is
// unknown. Like the SDK, it prefers IPv4.
func resolveDaemon(address string) (*net.UDPAddr, error) {
	for part := range strings.FieldsSeq(address) {
		if udp, found := strings.CutPrefix(part, "udp:"); found {
			address = udp
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.New("must be host:port")
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, errors.New("must be host:port")
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(found) == 0 {
		return nil, nil //nolint:nilnil,nilerr // nil is an unknown host
	}
	ip := found[max(slices.IndexFunc(found, func(a netip.Addr) bool { return a.Unmap().Is4() }), 0)]
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), uint16(port))), nil
}
