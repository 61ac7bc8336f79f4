#!/usr/bin/env bash
# Prometheus' fingerprint of an alert changes by a label without a value, which in its data model is no label.
#
# Expected: "labels with an empty label value are considered equivalent to labels that do not exist" (Prometheus documentation,
#   "Data model"), so {alertname="X", pod=""} and {alertname="X"} have one fingerprint and are equal.
# Seen: Fingerprint, FastFingerprint and Equal of model.LabelSet, and Fingerprint of model.Metric and model.Alert, take the empty
#   label as one more. Prometheus drops it before it sends an alert, and Alertmanager's API on arrival, so theirs is the other one.
# Who meets it: who computes an alert's fingerprint from labels (a webhook's, a rule's, a query's where a template left a label
#   empty) to find the incident that Alertmanager knows by its own.
# Instead: remove empty labels before the fingerprint is computed.
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
	"fmt"
	"os"
	"runtime/debug"

	"github.com/prometheus/common/model"
)

func main() {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/prometheus/common" {
			fmt.Println(info.GoVersion, dep.Path, dep.Version)
		}
	}
	with, without := model.LabelSet{"alertname": "X", "pod": ""}, model.LabelSet{"alertname": "X"}
	removed := with.Clone()
	for name, value := range removed {
		if value == "" {
			delete(removed, name)
		}
	}
	described := true
	check := func(what string, same, expected bool, values ...any) {
		fmt.Println(append([]any{what + ", same:", same}, values...)...)
		described = described && same == expected
	}
	check("LabelSet.Fingerprint", with.Fingerprint() == without.Fingerprint(), false, with.Fingerprint(), without.Fingerprint())
	check("LabelSet.FastFingerprint", with.FastFingerprint() == without.FastFingerprint(), false)
	check("LabelSet.Equal", with.Equal(without), false)
	check("Metric.Fingerprint", model.Metric(with).Fingerprint() == model.Metric(without).Fingerprint(), false)
	alerts := []model.Alert{{Labels: with}, {Labels: without}}
	check("Alert.Fingerprint", alerts[0].Fingerprint() == alerts[1].Fingerprint(), false)
	check("LabelSet.Validate of the empty label", with.Validate() == nil, true, with.Validate())
	check("without empty labels", removed.Fingerprint() == without.Fingerprint(), true)
	if !described {
		fmt.Println("CHANGED: not as described")
		os.Exit(1)
	}
	fmt.Println("as described")
}
GO
export GOFLAGS=-mod=mod
go get github.com/prometheus/common@v0.74.0 2>go.log || { cat go.log; exit 1; }
go run .
