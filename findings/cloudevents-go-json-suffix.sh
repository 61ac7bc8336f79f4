#!/usr/bin/env bash
# The Go SDK of CloudEvents refuses an object as data if datacontenttype ends in +json, and writes it as a string.
#
# Expected: data of application/problem+json, application/vnd.anything+json and the like is a JSON value, as for
#   application/json. The CloudEvents JSON format 1.0.2, section 3.1, counts every media type with the suffix +json as JSON.
# Seen: unmarshalling such an event fails ("expected a string") unless data is a string; Validate then finds no fault in what
#   is left of the event, whose data is empty. Marshalling writes the object as a JSON string, so that the Go SDK reads its
#   own events, and other readers get a string. SetData(type, bytes) writes data_base64, for application/json too, which
#   readers in other languages do not decode as JSON.
# Who meets it: a Go consumer of events whose payload has its own media type (problem details, OCSF, in-toto, JSON Patch).
# Instead: application/json, and the payload's type in dataschema; in Go, pass json.RawMessage, not []byte, to SetData, so
#   that data is an object.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat >go.mod <<'MOD'
module finding

go 1.25
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
)

func produced(mediaType string, data any) string {
	e := event.New()
	e.SetID("rr-1")
	e.SetSource("/remediator")
	e.SetType("example.remediated")
	if err := e.SetData(mediaType, data); err != nil {
		return "error: " + err.Error()
	}
	text, err := json.Marshal(e)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(text)
}

func main() {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if strings.HasPrefix(dep.Path, "github.com/cloudevents/") {
			fmt.Println(info.GoVersion, dep.Path, dep.Version)
		}
	}
	ok := true
	check := func(what string, described bool, seen any) {
		fmt.Printf("%s: %v\n", what, seen)
		ok = ok && described
	}

	for _, mediaType := range []string{"application/json", "application/json; charset=utf-8", "application/problem+json", "application/vnd.example+json"} {
		refused := strings.HasSuffix(mediaType, "+json")
		text := fmt.Sprintf(`{"specversion":"1.0","id":"rr-1","source":"/remediator","type":"example.remediated","datacontenttype":%q,"data":{"a":1}}`, mediaType)
		var e event.Event
		err := json.Unmarshal([]byte(text), &e)
		check("read "+mediaType, (err != nil) == refused, err)
		if refused {
			check("  the event that is left: Validate, data", e.Validate() == nil && len(e.Data()) == 0, fmt.Sprintf("%v, %q", e.Validate(), e.Data()))
		}
	}

	value := map[string]int{"a": 1}
	seen := produced("application/problem+json", value)
	check("write a map as problem+json", strings.Contains(seen, `"data":"{\"a\":1}"`), seen)
	seen = produced("application/json", value)
	check("write a map as json", strings.Contains(seen, `"data":{"a":1}`), seen)
	seen = produced("application/json", []byte(`{"a":1}`))
	check("write []byte as json", strings.Contains(seen, `"data_base64":"eyJhIjoxfQ=="`), seen)
	seen = produced("application/json", json.RawMessage(`{"a":1}`))
	check("write json.RawMessage as json", strings.Contains(seen, `"data":{"a":1}`), seen)

	if !ok {
		fmt.Println("CHANGED: not as described")
		os.Exit(1)
	}
	fmt.Println("as described")
}
GO
export GOFLAGS=-mod=mod
go get github.com/cloudevents/sdk-go/v2@v2.16.2 2>go.log || { cat go.log; exit 1; }
go run .
