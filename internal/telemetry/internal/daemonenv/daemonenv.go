// Package daemonenv hides the X-Ray daemon's address from the X-Ray SDK while the SDK initializes.
//
// Package xray of aws-xray-sdk-go v2.0.3 resolves AWS_XRAY_DAEMON_ADDRESS when it is initialized, without a
// timeout, and panics before main if the address is malformed or its host unknown (xray/config.go, newGlobalConfig).
// A function must name the bad setting or start without traces, and a command must not depend on it.
//
// Go initializes packages in the order of their import paths, as soon as their imports are initialized (Go
// specification, "Program initialization"). This package imports only os and precedes google.golang.org/grpc,
// which xray imports, so it always comes before xray. internal/telemetry TestProcess fails if it does not.
package daemonenv

import "os"

const variable = "AWS_XRAY_DAEMON_ADDRESS"

var address, wasSet = hideVariable()

func hideVariable() (value string, found bool) {
	if value, found = os.LookupEnv(variable); found {
		_ = os.Unsetenv(variable) // cannot fail: the name is valid
	}
	return value, found
}

// Restore makes the variable visible again, and reports whether it was set. A package that imports both this package and the SDK
// calls it while it initializes.
func Restore() bool {
	if wasSet {
		_ = os.Setenv(variable, address) // cannot fail: name and value came from the environment
	}
	return wasSet
}
