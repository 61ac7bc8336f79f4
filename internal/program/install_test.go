package program

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeZip makes an archive of the given files; files below bin are executable.
func writeZip(t *testing.T, path string, files map[string]string) {
	t.Helper()
	var buffer bytes.Buffer
	writer := zip.NewWriter(&buffer)
	for name, content := range files {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o644)
		if strings.Contains(name, "bin/") {
			header.SetMode(0o755)
		}
		entry, err := writer.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(entry, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buffer.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newProbeWheel returns a small wheel, and an installer that finds it in a folder instead of an index.
func newProbeWheel(t *testing.T, files map[string]string) (Installer, Wheel) {
	t.Helper()
	all := map[string]string{
		"probe-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n",
		"probe-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: cp311-cp311-testos\n",
		"probe-1.0.dist-info/RECORD":   "",
	}
	for name, content := range files {
		all[name] = content
	}
	index := t.TempDir()
	path := filepath.Join(index, "probe-1.0-cp311-cp311-testos.whl")
	writeZip(t, path, all)
	archive, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(archive)
	w := Wheel{Name: "probe", Version: "1.0", Holds: "a probe", Python: "3.11", Builds: map[string]Build{
		runtime.GOOS + "/" + runtime.GOARCH: {Platform: "testos", SHA256: hex.EncodeToString(sum[:]), Megabytes: 1},
	}}
	i := Installer{Dir: t.TempDir(), Python: "python3", Progress: io.Discard, Options: []string{"--no-index", "--find-links=" + index}}
	return i, w
}

func TestInstallWheel(t *testing.T) {
	t.Parallel()
	i, w := newProbeWheel(t, map[string]string{"probe/bin/run": "#!/bin/sh\n", "probe/lib/data": "data", "probe/include/x.h": "int x;"})
	var progress bytes.Buffer
	i.Progress = &progress
	path, err := i.InstallWheel(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"probe/bin/run": 0o755, "probe/lib/data": 0o644} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil || info.Mode()&0o700 != want&0o700 {
			t.Errorf("%s: %v, %v, want %v", name, info, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(path, "probe/include")); !os.IsNotExist(err) {
		t.Errorf("headers were unpacked: %v", err)
	}
	if line := progress.String(); !strings.HasPrefix(line, "Downloading a probe (1 MB) … done in ") || strings.Count(line, "\n") != 1 {
		t.Errorf("progress is %q", line)
	}
}

func TestInstallWheelOnlyOnce(t *testing.T) {
	t.Parallel()
	i, w := newProbeWheel(t, map[string]string{"probe/bin/run": ""})
	var progress [2]bytes.Buffer
	var group sync.WaitGroup
	for n := range progress {
		group.Go(func() {
			each := i
			each.Progress = &progress[n]
			if _, err := each.InstallWheel(t.Context(), w); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := strings.Count(progress[0].String()+progress[1].String(), "Downloading"); got != 1 {
		t.Errorf("downloaded %d times, want once", got)
	}
	if diff := cmp.Diff([]string{"probe-1.0"}, listDirectory(t, i.Dir)); diff != "" {
		t.Error("left in the directory (-want +got):\n" + diff)
	}
}

func TestInstallWheelErrors(t *testing.T) {
	t.Parallel()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	tests := []struct {
		name   string
		files  map[string]string
		change func(*Installer, *Wheel)
		want   string
	}{
		{name: "another hash", want: "DO NOT MATCH THE HASHES", change: func(_ *Installer, w *Wheel) {
			b := w.Builds[platform]
			b.SHA256 = strings.Repeat("0", 64)
			w.Builds[platform] = b
		}},
		{name: "no build for the machine", want: "has no build for " + platform, change: func(_ *Installer, w *Wheel) {
			delete(w.Builds, platform)
		}},
		{name: "a path outside the folder", files: map[string]string{"../../escaped": "x"}, want: "path escapes"},
		{name: "a missing version", want: "No matching distribution", change: func(_ *Installer, w *Wheel) {
			w.Version = "2.0"
		}},
		{name: "no Python", want: "Python 3 is missing", change: func(i *Installer, _ *Wheel) {
			i.Python = "missing-python"
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			i, w := newProbeWheel(t, test.files)
			if test.change != nil {
				test.change(&i, &w)
			}
			_, err := i.InstallWheel(t.Context(), w)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
			if got := listDirectory(t, i.Dir); len(got) != 0 {
				t.Errorf("left %v", got)
			}
		})
	}
}

// writeScript makes a shell script to use as an interpreter.
func writeScript(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python3")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindPipCommand(t *testing.T) {
	t.Parallel()
	i, w := newProbeWheel(t, nil)
	i.Python = writeScript(t, "echo \"$0: No module named $2\" >&2; exit 1\n")
	_, err := i.InstallWheel(t.Context(), w)
	var problem *Problem
	if !errors.As(err, &problem) || !strings.Contains(problem.Next, "apt-get install python3-pip") {
		t.Errorf("neither pip nor venv: %v", err)
	}

	i.Python = writeScript(t, `test "$2" = venv || exit 1
mkdir -p "$3/bin" && printf '#!/bin/sh\nexec python3 "$@"\n' > "$3/bin/python" && chmod +x "$3/bin/python"
`)
	if _, err := i.InstallWheel(t.Context(), w); err != nil {
		t.Errorf("no pip, but venv: %v", err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	problem := &Problem{What: "what", Why: "why", Next: "next"}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{
			name: "full disk by number", err: fmt.Errorf("write: %w", syscall.ENOSPC),
			want: "act: the disk is full\n  why: no space is left on the device that holds /dir\n  try: df -h /dir",
		},
		{
			name: "full disk in a program's output", err: OutputError("PANIC: could not write: No space left on device\none\ntwo\nthree\nfour"),
			want: "act: the disk is full\n  why: no space is left on the device that holds /dir\n  try: df -h /dir",
		},
		{name: "problem", err: problem, want: "what\n  why: why\n  try: next"},
		{name: "anything else", err: errors.New("odd"), want: "act: odd"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := Explain("act", test.err, "/dir")
			if !errors.Is(got, test.err) {
				t.Errorf("%v does not wrap its cause", got)
			}
			if diff := cmp.Diff(test.want, got.Error()); diff != "" {
				t.Error("message (-want +got):\n" + diff)
			}
		})
	}
}
