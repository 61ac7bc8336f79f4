// Command bench measures the service against floors, such as the bare SQL statements: it prints each result next to the floor that the
// same machine reached in the same run, in rounds that alternate between the two. It asserts counts, so that only work that happened is
// measured, and never a time.
//
// It runs the functions as the local stack does, on a private server that is removed at the end. It is independent of the store's
// statements: what the floors execute is recorded from the functions' own connections.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := runBenchmarks(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// benchmark prints one group of lines of the table.
type benchmark struct {
	name  string
	about string
	run   func(context.Context, *benchEnv) ([]line, error)
}

// benchmarks in the order in which they run: memory first, while the process is small.
func benchmarks() []benchmark {
	return []benchmark{
		{"memory", "memory of the process while records go in through the handler", benchMemory},
		{"cold", "cold starts of the built functions; floor: an empty function", benchColdStart},
		{"sandbox", "zips of the functions, and their memory while they serve; floor: an empty function", benchSandbox},
		{"http", "what users wait for, over HTTP through the local stack, beside the build of -base; floor: plain rows", benchHTTP},
		{"write", "one write through the handler; floor: pgbench with the same SQL", benchWrite},
		{"bulk", "1,000 records through Store.Append, and as an SQS event through the handler; floor: COPY of the same rows", benchBulk},
		{"update", "inserts and updates with the indexes of rare values; floor: without them", benchUpdate},
		{"vectors", "forms in which vectors travel to the server", benchVectors},
		{"derived", "writes with what search and statistics keep up; floor: without", benchDerived},
		{"search", "semantic and hybrid queries through the handler; floor: the statements of their retrievers", benchSearch},
		{"snapshot", "the statements of a hybrid search, its retrievers concurrent; floor: in one snapshot", benchSnapshot},
		{"hot", "hybrid searches that find an incident of -occurrences; floor: of 20", benchHot},
		{"storm", "16 writers of one incident; floor: of 16,000 incidents", benchStorm},
		{"recall", "how many of the 10 nearest a filtered search finds; floor: an exact scan", benchRecall},
		{"stats", "success rates and trends through the handler; floor: a sequential aggregate", benchStats},
		{"list", "page n of a long list through the handler; floor: page 1", benchList},
	}
}

func runBenchmarks(ctx context.Context, args []string, out, progress io.Writer) error {
	options, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	e, err := newBenchEnv(ctx, options, progress)
	if err != nil {
		return err
	}
	err = measureAll(ctx, e, out)
	return errors.Join(err, e.stopServer())
}

// measureAll runs the selected benchmarks and prints the table, also after an interruption.
func measureAll(ctx context.Context, e *benchEnv, out io.Writer) error {
	machine, err := e.describeMachine(ctx)
	if err != nil {
		return err
	}
	var lines []line
	for _, b := range benchmarks() {
		if !e.options.isSelected(b.name) {
			continue
		}
		e.logProgress("%s: %s", b.name, b.about)
		started := time.Now()
		measured, benchErr := b.run(ctx, e)
		lines = append(lines, measured...)
		if benchErr != nil {
			err = fmt.Errorf("%s: %w", b.name, benchErr)
			break
		}
		e.logProgress("%s: done in %v", b.name, time.Since(started).Round(time.Second))
	}
	return errors.Join(err, printTable(out, machine, lines))
}

// options are the command line's flags.
type options struct {
	only   []string
	short  bool
	rows   int
	often  int
	rounds int
	fsync  bool
	keep   bool
	dir    string
	prof   string
	base   string
}

func parseOptions(args []string, progress io.Writer) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.StringVar(&only, "run", "", "run these alone, separated by commas: "+strings.Join(benchmarkNames(), ", "))
	flags.BoolVar(&o.short, "short", false, "small sizes and few rounds: whether it works, not how fast it is")
	flags.IntVar(&o.rows, "rows", 10_000_000, "rows of the list")
	flags.IntVar(&o.often, "occurrences", 200_000, "how often the incident of hot occurs")
	flags.IntVar(&o.rounds, "rounds", 7, "rounds, each of which measures the result and its floor in turn")
	flags.BoolVar(&o.fsync, "fsync", false, "wait for the disk at each commit; without it the figures are the processor's")
	flags.BoolVar(&o.keep, "keep", false, "keep the server's data and use it again in the next run")
	flags.StringVar(&o.dir, "dir", "", "where the server's data lie while it runs (default .local/bench)")
	flags.StringVar(&o.prof, "cpuprofile", "", "write a CPU profile of the rounds of write or of search to this file")
	flags.StringVar(&o.base, "base", "", "a commit of this repository whose build http and cold run in turn with this one")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(benchmarkNames(), name) {
			return o, fmt.Errorf("no benchmark %q; there are %s", name, strings.Join(benchmarkNames(), ", "))
		}
	}
	if o.short {
		o.rows, o.often, o.rounds = min(o.rows, 20_000), min(o.often, 2000), min(o.rounds, 2)
	}
	if o.rows < 1000 || o.often < 2000 || o.rounds < 1 {
		return o, errors.New("-rows must be at least 1000, -occurrences 2000, -rounds 1")
	}
	return o, nil
}

func benchmarkNames() []string {
	var all []string
	for _, b := range benchmarks() {
		all = append(all, b.name)
	}
	return all
}

func (o options) isSelected(name string) bool { return o.only == nil || slices.Contains(o.only, name) }

// fullOrShort returns full, or small with -short.
func (o options) fullOrShort(full, small int) int {
	if o.short {
		return small
	}
	return full
}

// withCPUProfile runs do, under the CPU profiler with -cpuprofile.
func (o options) withCPUProfile(do func() error) (err error) {
	if o.prof == "" {
		return do()
	}
	file, err := os.Create(o.prof)
	if err != nil {
		return fmt.Errorf("make the profile: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("start the profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return do()
}
