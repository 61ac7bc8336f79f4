package main

import (
	"fmt"
	"math"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/bulk"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
)

// lineEvery is the interval of progress lines where no bar can be drawn.
const lineEvery = 5 * time.Second

// progressReporter shows the progress of an import: count, rate and time left.
type progressReporter interface {
	update(bulk.Progress)
	finish()
}

// newProgress returns a bar if the stream can redraw, and periodic lines otherwise. size is the number of input bytes, 0 if unknown.
func newProgress(talk *console.Stream, size int64) progressReporter {
	if !talk.Escapes {
		now := time.Now()
		return &progressLines{talk: talk, size: size, started: now, lastLine: now}
	}
	// The bar counts records; their total is estimated from the bytes so far.
	return progressBar{size, progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(talk),
		progressbar.OptionSetDescription("importing"),
		progressbar.OptionSetItsString("records"),
		progressbar.OptionShowIts(),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		// No spinner: its goroutine reads the bar's state without a lock (v3.19.1).
		progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)}
}

type progressBar struct {
	size int64
	bar  *progressbar.ProgressBar
}

func (b progressBar) update(p bulk.Progress) {
	if total := estimateRecords(p, b.size); total > 0 {
		b.bar.ChangeMax64(total)
	}
	// A bar that cannot be drawn does not stop the import.
	_ = b.bar.Set64(p.Records)
}

func (b progressBar) finish() { _ = b.bar.Clear() }

type progressLines struct {
	talk              *console.Stream
	size              int64
	started, lastLine time.Time
}

func (l *progressLines) update(p bulk.Progress) {
	if time.Since(l.lastLine) < lineEvery {
		return
	}
	l.lastLine = time.Now()
	l.talk.Line("%s", formatProgress(p, l.size, time.Since(l.started)))
}

func (l *progressLines) finish() {}

// formatProgress formats one line of progress: count, rate and time left.
func formatProgress(p bulk.Progress, size int64, elapsed time.Duration) string {
	rate := float64(p.Records) / elapsed.Seconds()
	line := fmt.Sprintf("%d records, %.0f a second", p.Records, rate)
	if total := estimateRecords(p, size); total > 0 && rate > 0 {
		left := time.Duration(float64(total-p.Records) / rate * float64(time.Second))
		line = fmt.Sprintf("%d of about %d records, %.0f a second, %s left", p.Records, total, rate, left.Round(time.Second))
	}
	return line
}

// estimateRecords returns the expected number of records of the whole input, or 0 if unknown.
func estimateRecords(p bulk.Progress, size int64) int64 {
	if size == 0 || p.Bytes == 0 {
		return 0
	}
	return int64(math.Ceil(float64(p.Records) * float64(size) / float64(p.Bytes)))
}
