package main

import (
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/bulk"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	at := func(records, bytes int64) bulk.Progress {
		return bulk.Progress{Summary: bulk.Summary{Records: records}, Bytes: bytes}
	}
	tests := []struct {
		name     string
		progress bulk.Progress
		size     int64
		elapsed  time.Duration
		want     string
	}{
		{"half-way", at(500, 1000), 2000, 10 * time.Second, "500 of about 1000 records, 50 a second, 10s left"},
		{"at the end", at(1000, 2000), 2000, 10 * time.Second, "1000 of about 1000 records, 100 a second, 0s left"},
		{"of unknown size", at(500, 1000), 0, 10 * time.Second, "500 records, 50 a second"},
		{"before the first record", at(0, 0), 2000, time.Second, "0 records, 0 a second"},
		{"long", at(3, 1), 30_000, time.Second, "3 of about 90000 records, 3 a second, 8h19m59s left"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := formatProgress(test.progress, test.size, test.elapsed); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
