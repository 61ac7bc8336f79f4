package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// benchMemory sends records in batches, and measures the memory of the process after a tenth, a half and all of them. This includes the
// benchmark's own memory.
func benchMemory(ctx context.Context, e *benchEnv) (lines []line, err error) {
	s, err := e.openStand(ctx, "bench_memory")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
	total := e.options.fullOrShort(20_000, 500)
	for _, c := range []struct {
		prefix, what string
		incidentOf   func(n int) int
	}{
		{"again", "of 1,000 incidents", func(n int) int { return n % 1000 }},
		{"fresh", "each of another incident", func(n int) int { return 1000 + n }},
	} {
		marks, err := s.measureHeapGrowth(ctx, c.prefix, total, c.incidentOf)
		if err != nil {
			return lines, err
		}
		lines = append(lines, line{
			what:   fmt.Sprintf("memory: heap after %d, %d and %d records %s", total/10, total/2, total, c.what),
			result: fmt.Sprintf("%s, resident %s", marks[2].heap, marks[2].resident),
			floor:  fmt.Sprintf("%s, %s; resident %s, %s", marks[0].heap, marks[1].heap, marks[0].resident, marks[1].resident),
			ratio:  float64(marks[2].heap) / float64(marks[1].heap),
		})
	}
	return lines, nil
}

// heapMark is the memory of the process at one time.
type heapMark struct{ heap, resident bytesize }

// bytesize is a number of bytes; 0 means unknown.
type bytesize int64

func (b bytesize) String() string {
	if b == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.1f MB", float64(b)/1e6)
}

// measureHeapGrowth sends total records and returns the marks after a tenth, a half and all of them.
func (s *stand) measureHeapGrowth(ctx context.Context, prefix string, total int, incidentOf func(int) int) ([]heapMark, error) {
	const batch = 100
	var marks []heapMark
	for sent := 0; sent < total; {
		size := min(5*batch, total/10, total-sent)
		request, err := newBatchEvent(prefix, sent, size, incidentOf)
		if err != nil {
			return nil, err
		}
		if err := invokeExpecting(ctx, s.writeFunction(), request, 200); err != nil {
			return nil, err
		}
		sent += size
		if sent == total/10 || sent == total/2 || sent == total {
			marks = append(marks, takeHeapMark())
		}
	}
	return marks, nil
}

// takeHeapMark measures the live heap after a garbage collection.
func takeHeapMark() heapMark {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return heapMark{heap: bytesize(stats.HeapAlloc), resident: residentSize()}
}
