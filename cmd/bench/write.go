package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jackc/pgx/v5"
)

// recurring is the number of incidents of the single writes: pgbench takes at most 128 scripts, and each script writes about one incident.
const recurring = 100

// benchWrite measures single writes of known incidents, by the handler and by pgbench with the statement that the handler executes.
func benchWrite(ctx context.Context, e *benchEnv) (lines []line, err error) {
	s, err := e.openStand(ctx, "bench_write")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
	w, err := newWriteBench(ctx, s)
	if err != nil {
		return nil, err
	}
	err = e.options.withCPUProfile(func() error {
		for _, clients := range []int{1, clients} {
			measured, err := w.measureClients(ctx, clients)
			if err != nil {
				return err
			}
			lines = append(lines, measured...)
		}
		return nil
	})
	return lines, err
}

// writeBench is a database with known incidents and the two ways to write more about them.
type writeBench struct {
	*stand
	patterns []eventPattern
	floor    *pgbench
	serial   atomic.Int64
	stored   int
}

func newWriteBench(ctx context.Context, s *stand) (*writeBench, error) {
	w := &writeBench{stand: s}
	if err := s.recordIncidents(ctx, s.options.fullOrShort(1000, recurring)); err != nil {
		return nil, err
	}
	if err := s.fillRemediations(ctx, s.options.fullOrShort(100_000, 1000)); err != nil {
		return nil, err
	}
	var err error
	if w.patterns, err = newEventPatterns(); err != nil {
		return nil, err
	}
	statements, err := w.recordStatements(ctx)
	if err != nil {
		return nil, err
	}
	if w.floor, err = w.newPgbenchScripts(ctx, statements); err != nil {
		return nil, err
	}
	w.stored, err = s.countRemediations(ctx)
	return w, err
}

// recordIncidents writes one remediation of each of the first count incidents.
func (s *stand) recordIncidents(ctx context.Context, count int) error {
	const batch = 500
	for first := 0; first < count; first += batch {
		request, err := newBatchEvent("known", first, min(batch, count-first), func(n int) int { return n })
		if err != nil {
			return err
		}
		if err := invokeExpecting(ctx, s.writeFunction(), request, 200); err != nil {
			return err
		}
	}
	return nil
}

// invokeExpecting calls a function and demands the status of its response.
func invokeExpecting(ctx context.Context, function lambda.Handler, request []byte, status int) error {
	response, err := function.Invoke(ctx, request)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(response, []byte(`{"statusCode":`+strconv.Itoa(status)+",")) {
		return fmt.Errorf("the response is not %d: %.300s", status, response)
	}
	return nil
}

// recordStatements writes one remediation of each recurring incident and returns the executed statements: one each, since the function
// knows the incidents. It omits the reading of the list of models, which a slow machine repeats.
func (w *writeBench) recordStatements(ctx context.Context) ([]statement, error) {
	functions, err := w.newFunctions(ctx, w.recorder.recordingURL)
	if err != nil {
		return nil, err
	}
	defer functions.Close()
	for pass := range 2 {
		w.recorder.takeStatements()
		for k, p := range w.patterns {
			request := p.eventWithID(fmt.Sprintf("recorded-%d-%d", pass, k))
			if err := invokeExpecting(ctx, functions.Handlers["WriteFunction"], request, 201); err != nil {
				return nil, err
			}
		}
	}
	statements := slices.DeleteFunc(w.recorder.takeStatements(), func(s statement) bool { return s.queryName() == "EmbeddingModelList" })
	if len(statements) != len(w.patterns) {
		return nil, fmt.Errorf("%d writes of known incidents took %d statements", len(w.patterns), len(statements))
	}
	return statements, nil
}

func (w *writeBench) measureClients(ctx context.Context, clients int) ([]line, error) {
	while := time.Duration(w.options.fullOrShort(4, 1)) * time.Second
	var used [2]spentTime
	figures, err := measureAlternately(ctx, w.options.rounds, sides{
		func(ctx context.Context) (float64, error) {
			return used[0].countWrites(syscall.RUSAGE_SELF, func() (int, float64, error) { return w.writeByHandler(ctx, clients, while) })
		},
		func(ctx context.Context) (float64, error) {
			return used[1].countWrites(syscall.RUSAGE_CHILDREN, func() (int, float64, error) { return w.writeByPgbench(ctx, clients, while) })
		},
	})
	if err != nil {
		return nil, err
	}
	if err := w.checkWritten(ctx, used[0].writes+used[1].writes); err != nil {
		return nil, err
	}
	return []line{
		{
			what:   fmt.Sprintf("write: one known incident, %s", pluralize(clients, "client")),
			result: fmt.Sprintf("%.0f/s", medianOf(figures[0])), floor: fmt.Sprintf("%.0f/s", medianOf(figures[1])),
			ratio: medianRatio(figures), goal: goal{least: 0.8},
		},
		{
			what:   fmt.Sprintf("write: processor time of a write on the client's side, %s", pluralize(clients, "client")),
			result: formatMicroseconds(used[0].secondsPerWrite()), floor: formatMicroseconds(used[1].secondsPerWrite()),
		},
	}, nil
}

// spentTime adds up the processor time of writes in this process or in pgbench, without the server's.
type spentTime struct {
	writes  int
	seconds float64
}

func (s *spentTime) secondsPerWrite() float64 { return s.seconds / float64(s.writes) }

func (s *spentTime) countWrites(who int, write func() (int, float64, error)) (rate float64, err error) {
	before, err := processorTime(who)
	if err != nil {
		return 0, err
	}
	writes, rate, err := write()
	if err != nil {
		return 0, err
	}
	after, err := processorTime(who)
	s.writes += writes
	s.seconds += after - before
	return rate, err
}

func pluralize(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (w *writeBench) writeByHandler(ctx context.Context, clients int, duration time.Duration) (int, float64, error) {
	return driveClients(ctx, clients, duration, func(ctx context.Context, _ int) error {
		n := w.serial.Add(1)
		request := w.patterns[n%recurring].eventWithID(fmt.Sprintf("handler-%012d", n))
		return invokeExpecting(ctx, w.writeFunction(), request, 201)
	})
}

func (w *writeBench) writeByPgbench(ctx context.Context, clients int, duration time.Duration) (int, float64, error) {
	return w.floor.runScripts(ctx, clients, duration)
}

// checkWritten returns an error unless every write of both sides is stored.
func (w *writeBench) checkWritten(ctx context.Context, written int) error {
	w.stored += written
	stored, err := w.countRemediations(ctx)
	if err == nil && stored != w.stored {
		err = fmt.Errorf("%d remediations are stored, %d were written", stored, w.stored)
	}
	return err
}

// newPgbenchScripts makes a pgbench script of each recorded write. A script gets the parameters as variables; only the identities are regenerated
// each time.
func (w *writeBench) newPgbenchScripts(ctx context.Context, statements []statement) (*pgbench, error) {
	variables := map[string]string{}
	var paths []string
	err := w.withSuperuser(ctx, func(conn *pgx.Conn) error {
		for k, recorded := range statements {
			values, err := recorded.parameterTexts(ctx, conn.PgConn())
			if err != nil {
				return err
			}
			path, err := w.writePgbenchScript(k, recorded.sql, values, variables)
			if err != nil {
				return err
			}
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("make the pgbench scripts: %w", err)
	}
	return w.newPgbench(paths, variables)
}

// identities are the parameters of RemediationAppendKnown that differ from write to write, by their number: the event's id, its time,
// and the remediation's id. :id is the script's.
var identities = map[int]string{
	1: "('0199f0e4-8e3c-7abc-8000-' || lpad(:id::text, 12, '0'))::uuid",
	2: "clock_timestamp()",
	6: "('pgbench-' || :id)",
}

var parameter = regexp.MustCompile(`\$(\d+)`)

func (w *writeBench) writePgbenchScript(k int, sql string, values []string, variables map[string]string) (path string, err error) {
	for i, value := range values {
		if identities[i+1] == "" {
			variables[variableName(i+1, k)] = value
		}
	}
	sql = parameter.ReplaceAllStringFunc(sql, func(found string) string {
		n, _ := strconv.Atoi(found[1:])
		if identity := identities[n]; identity != "" {
			return identity
		}
		return ":" + variableName(n, k)
	})
	path = filepath.Join(w.dir, fmt.Sprintf("write-%d.sql", k))
	text := "\\set n :n + 1\n\\set id :base + :client_id * 1000000 + :n\n" + sql + ";\n"
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func variableName(n, k int) string { return fmt.Sprintf("p%d_%d", n, k) }
