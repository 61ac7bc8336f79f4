package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// pgbench runs scripts of one statement each, drawn at random, with the extended protocol: the statement is sent as text with
// parameters, parsed, bound and executed in one round trip under no name, as the store's driver does it (pgbench's -M extended;
// -M prepared would name it, and -M simple would put the values into the text).
type pgbench struct {
	program   string
	database  *url.URL
	scripts   []string
	variables map[string]string
	runs      int
}

func (s *stand) newPgbench(scripts []string, variables map[string]string) (*pgbench, error) {
	database, err := url.Parse(s.writerURL())
	return &pgbench{program: s.server.Bin("pgbench"), database: database, scripts: scripts, variables: variables}, err
}

// keysOfARun exceeds the number of transactions of a run.
const keysOfARun = 100_000_000

// runScripts returns the number of executed transactions, and that number per second. A busy machine can take longer to connect than a short
// run lasts; then the run is repeated for twice as long.
func (p *pgbench) runScripts(ctx context.Context, clients int, duration time.Duration) (count int, perSecond float64, err error) {
	for ; count == 0 && err == nil; duration *= 2 {
		count, perSecond, err = p.runOnce(ctx, clients, duration)
	}
	return count, perSecond, err
}

// runOnce uses keys that no other run uses.
func (p *pgbench) runOnce(ctx context.Context, clients int, duration time.Duration) (count int, perSecond float64, err error) {
	p.runs++
	password, _ := p.database.User.Password()
	args := []string{
		"--no-vacuum", "--protocol=extended", "--host=" + p.database.Hostname(), "--port=" + p.database.Port(),
		"--username=" + p.database.User.Username(), "--client=" + strconv.Itoa(clients),
		"--jobs=" + strconv.Itoa(min(clients, runtime.NumCPU())), fmt.Sprintf("--time=%d", int(duration.Seconds())),
		"--define=base=" + strconv.Itoa(p.runs*keysOfARun), "--define=n=0",
	}
	for name, value := range p.variables {
		args = append(args, "--define="+name+"="+value)
	}
	for _, script := range p.scripts {
		args = append(args, "--file="+script)
	}
	cmd := exec.CommandContext(ctx, p.program, append(args, strings.TrimPrefix(p.database.Path, "/"))...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("run pgbench: %w: %s", err, lastBytes(output))
	}
	return parsePgbenchOutput(string(output))
}

var (
	pgbenchCount = regexp.MustCompile(`number of transactions actually processed: (\d+)`)
	pgbenchRate  = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)
)

func parsePgbenchOutput(output string) (count int, perSecond float64, err error) {
	counted, rated := pgbenchCount.FindStringSubmatch(output), pgbenchRate.FindStringSubmatch(output)
	if counted != nil && counted[1] == "0" {
		return 0, 0, nil // without a rate
	}
	if counted == nil || rated == nil {
		return 0, 0, fmt.Errorf("read pgbench's report: %q", output)
	}
	if count, err = strconv.Atoi(counted[1]); err != nil {
		return 0, 0, err
	}
	perSecond, err = strconv.ParseFloat(rated[1], 64)
	return count, perSecond, err
}

// lastBytes returns the end of a program's output.
func lastBytes(output []byte) []byte { return output[max(0, len(output)-1000):] }
