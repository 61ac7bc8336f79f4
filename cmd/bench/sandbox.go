package main

import (
	"archive/zip"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/internal/sam"
)

// deployedSettings returns the settings of template.yaml that Go's runtime reads.
func deployedSettings() map[string]string {
	return map[string]string{"GOGC": "400", "GOMEMLIMIT": "200MiB"}
}

// functionBench is the built functions of a stand, next to the empty one.
type functionBench struct {
	*stand
	dir   string
	empty string
}

// newFunctionBench opens a stand whose database has the incidents. The caller must close it.
func newFunctionBench(ctx context.Context, e *benchEnv, database string) (*functionBench, error) {
	s, err := e.openStand(ctx, database)
	if err != nil {
		return nil, err
	}
	f := &functionBench{stand: s, dir: filepath.Join(s.dir, "functions")}
	if err = s.recordIncidents(ctx, recurring); err == nil {
		f.empty, err = f.buildFunction(ctx, "cmd/bench/empty", runtime.GOARCH)
	}
	if err != nil {
		return nil, errors.Join(err, s.closeAll(ctx))
	}
	return f, nil
}

func (f *functionBench) buildFunction(ctx context.Context, folder, arch string) (string, error) {
	root, err := program.DefaultDir()
	if err != nil {
		return "", err
	}
	return sam.BuildFunction(ctx, filepath.Dir(root), folder, arch, filepath.Join(f.dir, arch))
}

// buildBaseFunction builds a function of the commit -base, or returns "" without one.
func (f *functionBench) buildBaseFunction(ctx context.Context, folder string) (string, error) {
	if f.options.base == "" {
		return "", nil
	}
	root, err := program.DefaultDir()
	if err != nil {
		return "", err
	}
	source := filepath.Join(f.dir, "base")
	if _, err := os.Stat(source); err != nil { // the first function of the commit
		if err := checkOut(ctx, filepath.Dir(root), f.options.base, source); err != nil {
			return "", fmt.Errorf("check out %s: %w", f.options.base, err)
		}
	}
	return sam.BuildFunction(ctx, source, folder, runtime.GOARCH, filepath.Join(f.dir, "base-"+runtime.GOARCH))
}

// functionSettings returns the settings with which a function uses the stand's database.
func (f *functionBench) functionSettings(url string) map[string]string {
	settings := deployedSettings()
	settings["DATASTORAGE_DATABASE_URL"] = url
	return settings
}

// measuredCall is a function with an event for each number, what that requests, and the status of its response.
type measuredCall struct {
	name   string
	what   string
	url    string
	event  func(n int) ([]byte, error)
	status int
}

// measuredCalls returns a write of a known incident, a search in the given mode, and a read of a remediation.
func (f *functionBench) measuredCalls(mode client.SearchMode) []measuredCall {
	return []measuredCall{
		{"write", "write", f.writerURL(), func(n int) ([]byte, error) {
			return newPostEvent("/v1/remediations", remediationInput(fmt.Sprintf("sandbox-%d", n), n%recurring))
		}, 201},
		{"query", string(mode) + " search", f.readerURL(), func(n int) ([]byte, error) {
			i := sampleIncident(n % recurring)
			return newSearchEvent(i.alert+" "+i.failure, mode, 10, "{}")
		}, 200},
		{"query", "one remediation", f.readerURL(), func(n int) ([]byte, error) {
			return newGetEvent(fmt.Sprintf("known-%d", n%recurring))
		}, 200},
	}
}

// newGetEvent returns the event that requests a remediation.
func newGetEvent(id string) ([]byte, error) {
	const route = "GET /v1/remediations/{remediation_id}"
	text, err := newGatewayEvent(route, "/v1/remediations/"+id, "", "")
	if err != nil {
		return nil, err
	}
	var request events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(text, &request); err != nil {
		return nil, err
	}
	request.PathParameters = map[string]string{"remediation_id": id}
	return json.Marshal(request)
}

// benchColdStart measures how long a function takes from its execution to its first poll of the Runtime API, and to its first response, for
// which it has to connect to the database; the floor is a function that does nothing. With -base, the function of that commit runs in
// turn with them, on the schema of this build.
func benchColdStart(ctx context.Context, e *benchEnv) (lines []line, err error) {
	f, err := newFunctionBench(ctx, e, "bench_cold")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.closeAll(ctx)) }()
	runs := f.options.fullOrShort(20, 2)
	serial := 0
	for _, c := range f.measuredCalls(client.SearchModeHybrid) {
		bootstrap, err := f.buildFunction(ctx, "functions/"+c.name, runtime.GOARCH)
		base, baseErr := f.buildBaseFunction(ctx, "functions/"+c.name)
		if err := errors.Join(err, baseErr); err != nil {
			return lines, err
		}
		starts := []coldStart{{f.empty, nil, 0}, {bootstrap, f.functionSettings(c.url), c.status}}
		if base != "" {
			starts = append(starts, coldStart{base, f.functionSettings(c.url), c.status})
		}
		polls, responses := make([][]float64, len(starts)), make([][]float64, len(starts))
		for range runs {
			for side, start := range starts {
				serial++
				event, err := c.event(serial)
				if err != nil {
					return lines, err
				}
				poll, response, err := start.startAndInvoke(ctx, event)
				if err != nil {
					return lines, fmt.Errorf("%s: %w", c.name, err)
				}
				polls[side], responses[side] = append(polls[side], poll), append(responses[side], response)
			}
		}
		lines = append(lines, f.newColdLine(c.name+", to its first poll", polls, 6),
			f.newColdLine(c.name+", to its first response ("+c.what+"), with connecting", responses, 40))
	}
	return lines, nil
}

// coldStart measures a function that is not running yet.
type coldStart struct {
	bootstrap string
	settings  map[string]string
	status    int
}

// startAndInvoke starts the function, sends one event, and returns the milliseconds from the start to the first poll and to the response.
func (c coldStart) startAndInvoke(ctx context.Context, event []byte) (poll, response float64, err error) {
	s, err := startSandbox(ctx, c.bootstrap, c.settings)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.stopProcess()) }()
	if poll, err = s.awaitFirstPoll(); err != nil {
		return 0, 0, err
	}
	response, err = s.invokeFunction(event, c.status)
	return poll, response, err
}

// newColdLine compares the second figures with the first, those of the empty function, and prints those of -base, if there are any.
func (f *functionBench) newColdLine(what string, figures [][]float64, most float64) line {
	text := func(side int) string {
		return fmt.Sprintf("%.1f · %.1f ms", medianOf(figures[side]), quantileOf(figures[side], 0.95))
	}
	floor := "an empty function: " + text(0)
	if len(figures) > 2 {
		floor += fmt.Sprintf("; %.7s: %s", f.options.base, text(2))
	}
	return line{
		what: "cold: " + what + ", median · p95", result: text(1), floor: floor,
		ratio: medianOf(figures[1]) - medianOf(figures[0]), goal: goal{most: most, unit: "ms more"},
	}
}

// benchSandbox measures the size of a function, zipped for arm64, and its memory after many requests.
func benchSandbox(ctx context.Context, e *benchEnv) (lines []line, err error) {
	f, err := newFunctionBench(ctx, e, "bench_sandbox")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.closeAll(ctx)) }()
	if lines, err = f.measureZips(ctx); err != nil {
		return lines, err
	}
	floor, err := f.serveRequests(ctx, f.empty, measuredCall{event: f.measuredCalls(client.SearchModeSemantic)[0].event}, nil)
	if err != nil {
		return lines, err
	}
	for _, c := range f.measuredCalls(client.SearchModeSemantic) {
		bootstrap, err := f.buildFunction(ctx, "functions/"+c.name, runtime.GOARCH)
		if err != nil {
			return lines, err
		}
		size, err := f.serveRequests(ctx, bootstrap, c, f.functionSettings(c.url))
		if err != nil {
			return lines, fmt.Errorf("%s: %w", c.name, err)
		}
		lines = append(lines, line{
			what:   fmt.Sprintf("sandbox: resident size of %s after %d requests (%s), and the most it was", c.name, f.requestCount(), c.what),
			result: size.String(), floor: "an empty function: " + floor.String(),
			ratio: float64(size.most) / 1e6, goal: goal{most: 64, unit: "MB"},
		})
	}
	return lines, nil
}

func (f *functionBench) requestCount() int { return f.options.fullOrShort(10_000, 20) }

// residentMemory is the resident size of a process, now and at most.
type residentMemory struct{ now, most bytesize }

func (m residentMemory) String() string { return fmt.Sprintf("%v, %v", m.now, m.most) }

// serveRequests sends the requests in sequence, as a sandbox receives them.
func (f *functionBench) serveRequests(ctx context.Context, bootstrap string, c measuredCall, settings map[string]string) (m residentMemory, err error) {
	s, err := startSandbox(ctx, bootstrap, settings)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, s.stopProcess()) }()
	if _, err := s.awaitFirstPoll(); err != nil {
		return m, err
	}
	for n := range f.requestCount() {
		event, err := c.event(n)
		if err != nil {
			return m, err
		}
		if _, err := s.invokeFunction(event, c.status); err != nil {
			return m, err
		}
	}
	m.now, m.most = s.residentSizes()
	return m, nil
}

// measureZips returns a line with the zip size of every function.
func (f *functionBench) measureZips(ctx context.Context) (lines []line, err error) {
	empty, err := f.zipSize(ctx, "cmd/bench/empty")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"write", "query", "health", "migrate", "maintain"} {
		size, err := f.zipSize(ctx, "functions/"+name)
		if err != nil {
			return lines, err
		}
		lines = append(lines, line{
			what: "sandbox: zip of " + name + ", arm64", result: size.String(), floor: "an empty function: " + empty.String(),
			ratio: float64(size) / 1e6, goal: goal{most: 8, unit: "MB"},
		})
	}
	return lines, nil
}

func (f *functionBench) zipSize(ctx context.Context, folder string) (bytesize, error) {
	path, err := f.buildFunction(ctx, folder, "arm64")
	if err != nil {
		return 0, err
	}
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	var size bytesize
	archive := zip.NewWriter(&size)
	archive.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestCompression) })
	entry, err := archive.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(entry, file); err != nil {
		return 0, err
	}
	return size, archive.Close()
}

// Write counts bytes.
func (b *bytesize) Write(p []byte) (int, error) {
	*b += bytesize(len(p))
	return len(p), nil
}
