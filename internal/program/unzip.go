package program

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// unzipArchive unpacks an archive with its permissions into the new directory dir. os.Root rejects
// names that lead out of dir. C headers, a quarter of PostgreSQL's files, are skipped: nothing is
// compiled against them.
func unzipArchive(archive, dir string) (err error) {
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
		if err := unzipOneFile(root, file); err != nil {
			return fmt.Errorf("unpack %s: %w", file.Name, err)
		}
	}
	return nil
}

func unzipOneFile(root *os.Root, file *zip.File) (err error) {
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
