package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// freeDiskBytes is how many bytes an ordinary user may still write where path lies.
func freeDiskBytes(path string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return 0, fmt.Errorf("ask for the free disk: %w", err)
	}
	// The types of both fields differ between systems.
	return int64(stat.Bavail) * int64(stat.Bsize), nil
}

// processorTime is how many seconds of a processor this process has used, or all of the programs that it ran to their end.
func processorTime(who int) (float64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(who, &usage); err != nil {
		return 0, fmt.Errorf("ask for the processor time: %w", err)
	}
	total := usage.Utime.Nano() + usage.Stime.Nano()
	return float64(total) / 1e9, nil
}

// loadAverage is the machine's load average on Linux.
func loadAverage() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	figures := strings.Fields(string(content))
	return strings.Join(figures[:min(len(figures), 3)], " ")
}

// residentSize is VmRSS of /proc/self/status on Linux, else 0.
func residentSize() bytesize {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return parseStatusSize(string(text), "VmRSS:")
}

// parseStatusSize is a size in /proc/<pid>/status, or 0.
func parseStatusSize(text, name string) bytesize {
	for line := range strings.Lines(text) {
		var kilobytes int64
		if rest, ok := strings.CutPrefix(line, name); ok {
			if _, err := fmt.Sscan(rest, &kilobytes); err == nil {
				return bytesize(kilobytes << 10)
			}
		}
	}
	return 0
}
