#!/usr/bin/env bash
# The Kubernetes client of Python writes times that the API machinery refuses, whenever the microseconds are zero.
#
# Expected: a datetime in a field of type MicroTime (eventTime of an Event, renewTime of a Lease) is accepted by the API
#   server whatever its value; the OpenAPI of Kubernetes says date-time, which is RFC 3339 with optional fraction.
# Seen: the client writes datetime.isoformat(), which leaves the fraction out when it is zero. apimachinery parses MicroTime
#   with exactly six digits, so "…:03+00:00" is an error, as are three digits (Date.toISOString of JavaScript) and nine.
#   metav1.Time takes all of them.
# Who meets it: a controller in Python that writes events.k8s.io Events with the time of an alert (whole seconds: always
#   refused), or with datetime.now() (refused about once in a million, and always where the clock ticks in whole seconds); a
#   collector that posts what another language wrote.
# Instead: isoformat(timespec="microseconds") and pass the text, or add a microsecond where it is zero.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv --without-pip venv
python3 -m pip --python venv/bin/python install --quiet --disable-pip-version-check --no-compile kubernetes==37.0.2 >pip.log
cat >write.py <<'PY'
import datetime, json, sys
import kubernetes
from kubernetes.client import ApiClient, EventsV1Event, V1ObjectMeta

print(f"python {sys.version.split()[0]}, kubernetes {kubernetes.__version__}", file=sys.stderr)
for microsecond in (0, 1, 500000):
    at = datetime.datetime(2026, 11, 28, 1, 2, 3, microsecond, tzinfo=datetime.timezone.utc)
    event = EventsV1Event(metadata=V1ObjectMeta(name="rr-1", namespace="shop"), event_time=at, reporting_controller="example.com/remediator",
                          reporting_instance="remediator-0", reason="Remediated", action="RestartPod", type="Normal")
    print(json.dumps(ApiClient().sanitize_for_serialization(event)))
PY
venv/bin/python write.py >events.jsonl
cat >go.mod <<'MOD'
module finding

go 1.26.0
MOD
cat >main.go <<'GO'
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func main() {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if strings.HasPrefix(dep.Path, "k8s.io/api") {
			fmt.Println(info.GoVersion, dep.Path, dep.Version)
		}
	}
	var refused []bool
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var sent struct{ EventTime string }
		if err := json.Unmarshal(lines.Bytes(), &sent); err != nil {
			panic(err)
		}
		err := json.Unmarshal(lines.Bytes(), &eventsv1.Event{})
		fmt.Printf("Event of the Python client, eventTime %s: %v\n", sent.EventTime, err)
		refused = append(refused, err != nil)
	}
	for _, text := range []string{`"2026-11-28T01:02:03.123Z"`, `"2026-11-28T01:02:03.123456Z"`, `"2026-11-28T01:02:03.123456789Z"`} {
		err := json.Unmarshal([]byte(text), &metav1.MicroTime{})
		fmt.Printf("MicroTime %s: %v\n", text, err)
		refused = append(refused, err != nil)
		if err := json.Unmarshal([]byte(text), &metav1.Time{}); err != nil {
			panic(err)
		}
	}
	if fmt.Sprint(refused) != "[true false false true false true]" {
		fmt.Println("CHANGED: not as described")
		os.Exit(1)
	}
	fmt.Println("as described")
}
GO
export GOFLAGS=-mod=mod
go get k8s.io/api@v0.37.2 k8s.io/apimachinery@v0.37.2 2>go.log || { cat go.log; exit 1; }
go run . <events.jsonl
