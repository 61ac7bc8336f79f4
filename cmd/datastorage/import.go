package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/bulk"
)

// inFlight is the default number of concurrent batches: enough to hide the latency of the service, few enough for the connections of a
// small database.
const inFlight = 4

func newImport(a *app) *cobra.Command {
	var jobs int
	command := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Record every line of an NDJSON file",
		Long: `Record every line of a file, or of standard input, as a remediation: one JSON object per line, in the API's format.

Records that the service refuses go to FILE.rejected (stdin.rejected), one per line: {"line":…,"record":…,"problem":…}.
Running the import again is safe: stored records are not changed.

Exit code 5: some records were refused, or the import stopped after some were stored; 2: all were refused.`,
		Example: `  datastorage import records.ndjson
  zcat records.ndjson.gz | datastorage import -
  datastorage import records.ndjson --json | jq .refused`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"ndjson", "jsonl"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.importFile(cmd.Context(), args[0], jobs) },
	}
	command.Flags().IntVar(&jobs, "jobs", inFlight, "concurrent batches, 1 to 64")
	return command
}

// imported is the output of --json.
type imported struct {
	bulk.Summary
	RejectedFile string `json:"rejected_file,omitempty"`
}

func (a *app) importFile(ctx context.Context, name string, jobs int) (err error) {
	if jobs < 1 || jobs > 64 {
		return newCommandError(exitUsage, "cannot import", errors.New("--jobs must be 1 to 64"), "datastorage import --help")
	}
	input, err := a.openInput(name)
	if err != nil {
		return newCommandError(exitUsage, "cannot read "+name, err, "ls -l "+name)
	}
	defer func() { _ = input.Close() }()
	// A service that restarts during the import is back within these retries.
	patience := client.WithRetry(client.RetryPolicy{Attempts: 8, BaseDelay: 200 * time.Millisecond, MaxDelay: 20 * time.Second})
	api, err := a.newClient(ctx, patience)
	if err != nil {
		return err
	}
	rejects := &rejectsFile{name: rejectsFileName(name)}
	defer func() { err = errors.Join(err, rejects.closeOrRemove()) }()
	summary, err := a.sendRecords(ctx, api, input, rejects, jobs)
	a.talk.Line("%d records: %d stored, %d already there, %d refused", summary.Records, summary.Stored, summary.AlreadyThere,
		summary.Refused)
	if a.json {
		if err := a.printJSON(imported{summary, rejects.writtenName()}); err != nil {
			return err
		}
	}
	return a.importResult(name, summary, rejects, err)
}

func (a *app) openInput(name string) (*os.File, error) {
	if name == "-" {
		return a.in, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(errors.New("it is a folder"), file.Close())
	}
	return file, nil
}

// sendRecords imports the whole input. It waits for a service that restarts during the import, but not for one that is unreachable at the start.
func (a *app) sendRecords(ctx context.Context, api *client.Client, input *os.File, rejects *rejectsFile, jobs int) (bulk.Summary, error) {
	if _, err := api.Health(ctx); err != nil {
		return bulk.Summary{}, err
	}
	progress := newProgress(a.talk, remainingBytes(input))
	defer progress.finish()
	return bulk.Import(ctx, newInterruptibleReader(ctx, input), bulk.Config{
		Send: api.CreateRemediationsJSON, InFlight: jobs, Refused: rejects.writeRefusal, Progress: progress.update,
	})
}

// newInterruptibleReader reads input until the context ends, also while a read of input blocks.
func newInterruptibleReader(ctx context.Context, input io.Reader) io.Reader {
	reader, writer := io.Pipe()
	go func() {
		_, err := io.Copy(writer, input)
		_ = writer.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { _ = reader.CloseWithError(ctx.Err()) })
	return reader
}

// importResult returns the import's error with its exit code, or nil.
func (a *app) importResult(name string, summary bulk.Summary, rejects *rejectsFile, err error) error {
	kept := summary.Stored + summary.AlreadyThere
	switch {
	case err != nil:
		code := exitCodeOf(err)
		if kept > 0 {
			code = exitPartly
		}
		return a.newCallErrorWithCode(code, name+" was not imported completely", err, "datastorage import "+name+"   # again: it continues")
	case summary.Refused == 0:
		return nil
	}
	code := exitPartly
	if kept == 0 {
		code = exitUsage
	}
	why := fmt.Errorf("%d of %d records were refused; the file has each with its problem", summary.Refused, summary.Records)
	return newCommandError(code, "not all records were stored", why, "head -3 "+rejects.name)
}

// rejectsFile is the file of refused records, created for the first of them.
type rejectsFile struct {
	name string
	file *os.File
}

func rejectsFileName(name string) string {
	if name == "-" {
		return "stdin.rejected"
	}
	return name + ".rejected"
}

// writeRefusal appends a refused record. The file may contain secrets that the service would have redacted, so only its owner may read it.
func (r *rejectsFile) writeRefusal(refusal bulk.Refusal) error {
	if r.file == nil {
		file, err := os.OpenFile(r.name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("create the file of refused records: %w", err)
		}
		r.file = file
	}
	encoder := json.NewEncoder(r.file)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(refusal)
}

func (r *rejectsFile) writtenName() string {
	if r.file == nil {
		return ""
	}
	return r.name
}

// closeOrRemove closes the file or, if nothing was refused, removes the file of an earlier import.
func (r *rejectsFile) closeOrRemove() error {
	if r.file != nil {
		return r.file.Close()
	}
	if err := os.Remove(r.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// remainingBytes returns the number of unread bytes of a regular file, and 0 for any other input.
func remainingBytes(input *os.File) int64 {
	info, err := input.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	at, err := input.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0
	}
	return info.Size() - at
}
