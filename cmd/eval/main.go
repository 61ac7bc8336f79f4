// Command eval measures how well search ranks, on retrieval test collections that are not part of
// the repository. It loads each into a fresh database through the API, searches for the
// collection's queries through the API, and prints how good the results are, for every mode of
// search and every provider, and how well signatures fold repetitions together.
//
// It runs the functions as the local stack does, on a private server that is removed at the end.
// Other weights are ranked by the service's own fusion. It does not check the figures.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "eval:", err)
		os.Exit(1)
	}
}

// run measures and prints. If it fails or is interrupted, it prints the measurements so far. getenv
// configures the embedding provider.
func run(ctx context.Context, args []string, getenv func(string) string, out, progress io.Writer) (err error) {
	options, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	sets, err := readTestSets(options.dir)
	if err != nil {
		return err
	}
	root, err := program.DefaultDir()
	if err != nil {
		return err
	}
	// A new folder, so that the data of a killed run is not measured again.
	data := filepath.Join(root, "eval-"+rand.Text())
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	server, err := pgserver.Start(ctx, pgserver.Config{
		Data: filepath.Join(data, "server"), Settings: map[string]string{"fsync": "off"}, Progress: progress,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	e := &evaluation{server: server, modes: options.modes, weights: options.weights, progress: progress}
	err = e.measureAllSets(ctx, sets, embeddingProviders(getenv))
	_, _ = fmt.Fprintf(out, "%s · %d cores, %s/%s, %s\n", // the tables report a broken writer
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return errors.Join(err,
		printRankings(out, e.rankings), printWeightings(out, e.weightings), printFoldings(out, e.foldings))
}

// options are the flags.
type options struct {
	dir   string
	modes []client.SearchMode
	// weights enables the ranking with other weights of the semantic retriever.
	weights bool
}

func parseOptions(args []string, progress io.Writer) (options, error) {
	var o options
	var modes string
	flags := flag.NewFlagSet("eval", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.StringVar(&o.dir, "dir", "",
		"a set, which is a folder with docs.jsonl, queries.jsonl and qrels.jsonl, or a folder of sets")
	flags.StringVar(&modes, "mode", "semantic,lexical,hybrid", "modes of search, separated by commas")
	flags.BoolVar(&o.weights, "weight", false,
		"for each set, choose the weight of the semantic retriever on the other sets, and print how it ranks the set")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.dir == "" {
		return o, errors.New("no sets to measure: make eval DIR=folder")
	}
	for mode := range strings.SplitSeq(modes, ",") {
		if !client.SearchMode(mode).Valid() {
			return o, fmt.Errorf("unknown mode %q: must be one of semantic, lexical, hybrid", mode)
		}
		o.modes = append(o.modes, client.SearchMode(mode))
	}
	return o, nil
}
