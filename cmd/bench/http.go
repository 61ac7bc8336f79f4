package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/client"
)

// httpKnown is how many remediations the reads are about.
const httpKnown = 1000

// httpBench is this build, the build of -base if it is set, and a table of plain rows, on one server.
type httpBench struct {
	*benchEnv
	builds []*build
	// floors are what pgbench does with plain rows, by the number of rows written at once; 0 means that it reads one.
	floors map[int]*pgbench
	bodies []eventPattern
	serial atomic.Int64
}

// httpTask is a kind of call that users of the API wait for.
type httpTask struct {
	what    string
	clients int
	// records is how many records a call writes; 0 means that it reads, and that its latency is measured rather than its rate.
	records int
	call    func(ctx context.Context, b *build, n int64) error
	// goal is that of the ratio to the build of -base.
	goal goal
}

func (h *httpBench) tasks() []httpTask {
	write := func(ctx context.Context, b *build, n int64) error {
		return b.send(ctx, "/v1/remediations", h.bodies[n%recurring].eventWithID(fmt.Sprint("http-", n)), http.StatusCreated)
	}
	batch := func(ctx context.Context, b *build, n int64) error {
		return b.send(ctx, "/v1/remediations/batch", h.batchBody(n, 50), http.StatusOK)
	}
	get := func(path string) func(context.Context, *build, int64) error {
		return func(ctx context.Context, b *build, n int64) error {
			return b.send(ctx, fmt.Sprintf(path, fmt.Sprint("known-", n%httpKnown)), nil, http.StatusOK)
		}
	}
	return []httpTask{
		{"write of a known incident", 1, 1, write, goal{least: 4}},
		{"write of a known incident", 8, 1, write, goal{least: 4.5}},
		{"write of a known incident", 16, 1, write, goal{least: 4.5}},
		{"batches of 50", 2, 50, batch, goal{least: 3.5}},
		{"one remediation", 1, 0, get("/v1/remediations/%s"), goal{most: 0.4}},
		{"history of a remediation", 1, 0, get("/v1/remediations/%s/history"), goal{most: 0.4}},
		{"list of 10", 1, 0, get("/v1/remediations?limit=10%.0s"), goal{most: 0.4}},
	}
}

// batchBody is a batch of count records, numbered from n*count.
func (h *httpBench) batchBody(n int64, count int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"records":[`)
	for i := range count {
		if i > 0 {
			body.WriteByte(',')
		}
		body.Write(h.bodies[i%recurring].eventWithID(fmt.Sprintf("batch-%d-%d", n, i)))
	}
	body.WriteString(`]}`)
	return body.Bytes()
}

// benchHTTP measures the calls that users of the API wait for, through the local stack: this build, the build of -base, and as the floor a plain row
// of the same size in a table of its own, by pgbench.
func benchHTTP(ctx context.Context, e *benchEnv) (lines []line, err error) {
	h := &httpBench{benchEnv: e}
	defer func() { err = errors.Join(err, h.stopBuilds()) }()
	if err := h.prepare(ctx); err != nil {
		return nil, err
	}
	for _, task := range h.tasks() {
		measured, err := h.measureTask(ctx, task)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", task.what, err)
		}
		lines = append(lines, measured...)
	}
	return lines, nil
}

func (h *httpBench) stopBuilds() error {
	var errs []error
	for _, b := range h.builds {
		errs = append(errs, b.stop())
	}
	return errors.Join(errs...)
}

func (h *httpBench) prepare(ctx context.Context) error {
	for k := range recurring {
		body, err := json.Marshal(remediationInput(idGap, k))
		if err != nil {
			return err
		}
		h.bodies = append(h.bodies, cutAtGap(body))
	}
	if err := h.startBuilds(ctx); err != nil {
		return err
	}
	for _, b := range h.builds {
		if err := h.fillBuild(ctx, b); err != nil {
			return fmt.Errorf("fill %s: %w", b.database, err)
		}
	}
	return h.makePlainRows(ctx)
}

// fillBuild stores the remediations that are read, and 100,000 others of the same incidents.
func (h *httpBench) fillBuild(ctx context.Context, b *build) error {
	const batch = 100
	for first := 0; first < httpKnown; first += batch {
		records := make([]client.RemediationInput, batch)
		for i := range records {
			records[i] = remediationInput(fmt.Sprint("known-", first+i), (first+i)%recurring)
		}
		body, err := json.Marshal(client.BatchInput{Records: records})
		if err != nil {
			return err
		}
		if err := b.send(ctx, "/v1/remediations/batch", body, http.StatusOK); err != nil {
			return err
		}
	}
	s := &stand{benchEnv: h.benchEnv, database: b.database}
	return s.fillRemediations(ctx, h.options.fullOrShort(100_000, 1000))
}

// makePlainRows makes the floor: 100,000 rows of the size of a record, with a primary key.
func (h *httpBench) makePlainRows(ctx context.Context) error {
	s := &stand{benchEnv: h.benchEnv, database: h.builds[0].database}
	record := h.bodies[0].eventWithID("known-0")
	err := s.execAsSuperuser(ctx, `CREATE TABLE plain_row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, record text NOT NULL);
		GRANT SELECT, INSERT ON plain_row TO datastorage_writer`)
	if err != nil {
		return err
	}
	if err := s.execAsSuperuser(ctx, "INSERT INTO plain_row (record) SELECT $1 FROM generate_series(1, 100000)", string(record)); err != nil {
		return err
	}
	if err := s.execAsSuperuser(ctx, "VACUUM (ANALYZE) plain_row"); err != nil {
		return err
	}
	h.floors = map[int]*pgbench{}
	for rows, sql := range map[int]string{
		0:  "\\set id random(1, 100000)\nSELECT record FROM plain_row WHERE id = :id",
		1:  "INSERT INTO plain_row (record) VALUES (:record)",
		50: "INSERT INTO plain_row (record) SELECT :record FROM generate_series(1, 50)",
	} {
		name := fmt.Sprintf("plain-rows-%d.sql", rows)
		if h.floors[rows], err = s.newPgbenchScript(name, sql, map[string]string{"record": string(record)}); err != nil {
			return err
		}
	}
	return nil
}

// httpFigures are the rounds' figures of one side, and the processor time that its calls took.
type httpFigures struct {
	calls           int
	service, server float64
}

// measureTask runs the task on every build, and the floor, in turn.
func (h *httpBench) measureTask(ctx context.Context, task httpTask) ([]line, error) {
	while := time.Duration(h.options.fullOrShort(4, 1)) * time.Second
	used := make([]httpFigures, len(h.builds))
	var sides []func(context.Context) (float64, error)
	for i, b := range h.builds {
		sides = append(sides, func(ctx context.Context) (float64, error) { return h.measureBuild(ctx, task, b, while, &used[i]) })
	}
	sides = append(sides, func(ctx context.Context) (float64, error) {
		_, rate, err := h.floors[task.records].runScripts(ctx, task.clients, while)
		if task.records == 0 && err == nil {
			return 1e3 / rate, nil
		}
		return rate * float64(task.records), err
	})
	figures, err := measureInTurn(ctx, h.options.rounds, sides)
	if err != nil {
		return nil, err
	}
	return h.taskLines(task, figures, used), nil
}

// measureBuild returns how many records a second the build wrote, or the median latency of its reads in milliseconds.
func (h *httpBench) measureBuild(ctx context.Context, task httpTask, b *build, while time.Duration, used *httpFigures) (float64, error) {
	service, server := b.processorTime(), h.serverProcessorTime()
	latencies := make([][]float64, task.clients)
	calls, rate, err := driveClients(ctx, task.clients, while, func(ctx context.Context, c int) error {
		took, err := timeSeconds(func() error { return task.call(ctx, b, h.serial.Add(1)) })
		latencies[c] = append(latencies[c], 1e3*took)
		return err
	})
	used.calls += calls
	used.service += b.processorTime() - service
	used.server += h.serverProcessorTime() - server
	if task.records == 0 {
		return medianOf(latencies[0]), err
	}
	return rate * float64(task.records), err
}

func (h *httpBench) taskLines(task httpTask, figures [][]float64, used []httpFigures) []line {
	format := func(figure float64) string {
		if task.records == 0 {
			return fmt.Sprintf("%.2f ms", figure)
		}
		return fmt.Sprintf("%.0f/s", figure)
	}
	what := fmt.Sprintf("http: %s, %s", task.what, pluralize(task.clients, "client"))
	now, floor := figures[0], figures[len(figures)-1]
	lines := []line{{
		what: what + ", against a plain row", result: format(medianOf(now)), floor: format(medianOf(floor)),
		ratio: medianRatio([2][]float64{now, floor}),
	}}
	if len(h.builds) == 1 {
		return lines
	}
	base := fmt.Sprintf("%.7s: ", h.options.base)
	lines = append(lines, line{
		what: what, result: format(medianOf(now)), floor: base + format(medianOf(figures[1])),
		ratio: medianRatio([2][]float64{now, figures[1]}), goal: task.goal,
	})
	for _, part := range []struct {
		of   string
		time func(httpFigures) float64
		goal goal
	}{
		{"PostgreSQL", func(f httpFigures) float64 { return f.server / float64(f.calls) }, goal{most: 0.35}},
		{"the service", func(f httpFigures) float64 { return f.service / float64(f.calls) }, goal{most: 0.7}},
	} {
		l := line{
			what:   what + ", processor time of " + part.of,
			result: formatMicroseconds(part.time(used[0])), floor: base + formatMicroseconds(part.time(used[1])),
			ratio: part.time(used[0]) / part.time(used[1]),
		}
		if task.records == 1 && task.clients == 1 {
			l.goal = part.goal
		}
		lines = append(lines, l)
	}
	return lines
}

// newPgbenchScript is pgbench with one script.
func (s *stand) newPgbenchScript(name, sql string, variables map[string]string) (*pgbench, error) {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(sql+";\n"), 0o600); err != nil {
		return nil, err
	}
	return s.newPgbench([]string{path}, variables)
}

// createEmptyDatabase makes a database for a build to migrate.
func (e *benchEnv) createEmptyDatabase(ctx context.Context, name string) error {
	err := e.withConnection(ctx, "postgres", func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "CREATE DATABASE "+name+" OWNER datastorage_admin TEMPLATE template0")
		return err
	})
	if err != nil {
		return err
	}
	return e.withConnection(ctx, name, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE EXTENSION vector")
		return err
	})
}
