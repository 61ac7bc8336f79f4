#!/usr/bin/env bash
# client-go, events.k8s.io: repeated events of one object keep the note of the first, and the count stays behind.
#
# Expected: each Eventf with a note of its own can be read in the cluster, or at least the last note can: the API describes
#   note as the description of the status of this operation, and series.count as the number of occurrences up to the last
#   heartbeat.
# Seen: the recorder of client-go/tools/events folds events by object, related object, reason, action, type and reporter; the
#   note is not part of that key. Three attempts with three notes are one Event with the first note and count 2: the second
#   makes it a series, and all further ones are only counted in memory (written after half an hour, or some minutes after the
#   last). client-go/tools/record, its predecessor, writes the three as three Events.
# Who meets it: a controller that moves from record to events and puts the outcome of each attempt into the note, and an audit
#   trail that is fed by watching Events: attempts 2 to n and their errors are never there.
# Instead: send each attempt to the audit trail itself; in Events put what distinguishes attempts into reason or action, or
#   into the related object.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat >go.mod <<'MOD'
module finding

go 1.26.0
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/record"
)

var notes = []string{"attempt 1: timed out", "attempt 2: quota exceeded", "attempt 3: restarted"}

func main() {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if strings.HasPrefix(dep.Path, "k8s.io/client-go") {
			fmt.Println(info.GoVersion, dep.Path, dep.Version)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "checkout", Namespace: "shop", UID: "8a1f"}}

	client := fake.NewClientset()
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		panic(err)
	}
	recorder := broadcaster.NewRecorder(scheme.Scheme, "example.com/remediator")
	for _, note := range notes {
		recorder.Eventf(pod, nil, corev1.EventTypeNormal, "Remediated", "RestartPod", "%s", note)
		time.Sleep(500 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	list, err := client.EventsV1().Events("shop").List(ctx, metav1.ListOptions{})
	if err != nil {
		panic(err)
	}
	for _, e := range list.Items {
		fmt.Printf("tools/events: note %q, series %v\n", e.Note, e.Series)
	}

	old := fake.NewClientset()
	oldBroadcaster := record.NewBroadcaster(record.WithContext(ctx))
	oldBroadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: old.CoreV1().Events("")})
	oldRecorder := oldBroadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "remediator"})
	for _, note := range notes {
		oldRecorder.Eventf(pod, corev1.EventTypeNormal, "Remediated", "%s", note)
		time.Sleep(500 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	oldList, err := old.CoreV1().Events("shop").List(ctx, metav1.ListOptions{})
	if err != nil {
		panic(err)
	}
	for _, e := range oldList.Items {
		fmt.Printf("tools/record: message %q, count %d\n", e.Message, e.Count)
	}

	if len(list.Items) == 1 && list.Items[0].Note == notes[0] && list.Items[0].Series != nil && list.Items[0].Series.Count == 2 && len(oldList.Items) == 3 {
		fmt.Println("as described")
		return
	}
	fmt.Println("CHANGED: not as described")
	os.Exit(1)
}
GO
export GOFLAGS=-mod=mod
go get k8s.io/client-go@v0.37.2 k8s.io/api@v0.37.2 k8s.io/apimachinery@v0.37.2 2>go.log || { cat go.log; exit 1; }
go run .
