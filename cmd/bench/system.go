package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// freeDiskBytes returns how many bytes an ordinary user may still write on the file system of path.
func freeDiskBytes(path string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return 0, fmt.Errorf("read the free disk space: %w", err)
	}
	// The types of both fields differ between systems.
	return int64(stat.Bavail) * int64(stat.Bsize), nil
}

// processorTime returns the seconds of processor time of this process, or of all programs that it ran and that have ended.
func processorTime(who int) (float64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(who, &usage); err != nil {
		return 0, fmt.Errorf("read the processor time: %w", err)
	}
	total := usage.Utime.Nano() + usage.Stime.Nano()
	return float64(total) / 1e9, nil
}

// processTimes returns the seconds of processor time that the process and its children, running or ended, have used, on Linux; elsewhere 0.
func processTimes(pid int) (own, children float64) {
	processes, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range processes {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// proc_pid_stat(5): the name, in parentheses, may contain spaces; the times are in hundredths of a second.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		seconds := func(user, system int) float64 {
			u, _ := strconv.ParseFloat(fields[user], 64)
			s, _ := strconv.ParseFloat(fields[system], 64)
			return (u + s) / 100
		}
		switch {
		case path == fmt.Sprintf("/proc/%d/stat", pid):
			own = seconds(11, 12)
			children += seconds(13, 14) // of those that have ended
		case parent == pid:
			children += seconds(11, 12)
		}
	}
	return own, children
}

// loadAverage returns the machine's load average on Linux, else "unknown".
func loadAverage() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	figures := strings.Fields(string(content))
	return strings.Join(figures[:min(len(figures), 3)], " ")
}

// residentSize returns VmRSS of /proc/self/status on Linux, else 0.
func residentSize() bytesize {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return parseStatusSize(string(text), "VmRSS:")
}

// parseStatusSize returns a size in /proc/<pid>/status, or 0.
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
