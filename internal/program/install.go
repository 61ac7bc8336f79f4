package program

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// Installer downloads programs with pip into a directory.
type Installer struct {
	// Dir receives a folder for each program, named for its name and version. Empty means DefaultDir.
	Dir string
	// Python is the interpreter whose pip downloads wheels; a name without a slash is looked up in
	// PATH.
	Python string
	// Progress receives one line for each download.
	Progress io.Writer
	// Options are further options of pip.
	Options []string
}

// installFolder returns the path of a folder below Dir, after making it with fill if it does not exist.
func (i Installer) installFolder(ctx context.Context, folder, holds string, fill func(staging string) (string, error)) (path string, err error) {
	dir := i.Dir
	if dir == "" {
		if dir, err = DefaultDir(); err != nil {
			return "", err
		}
	}
	path = filepath.Join(dir, folder)
	if err := MakeOnce(ctx, path, fill); err != nil {
		return "", Explain("set up "+holds, err, dir)
	}
	return path, nil
}

// reportDownload runs a download and writes one progress line about it.
func (i Installer) reportDownload(holds string, megabytes int, download func() (string, error)) (string, error) {
	started := time.Now()
	_, _ = fmt.Fprintf(i.Progress, "Downloading %s (%d MB) … ", holds, megabytes)
	folder, err := download()
	if err != nil {
		_, _ = fmt.Fprintln(i.Progress, "failed")
		return "", err
	}
	_, _ = fmt.Fprintf(i.Progress, "done in %ds\n", int(time.Since(started).Seconds()+0.5))
	return folder, nil
}
