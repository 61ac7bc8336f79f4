package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
)

// statsStep spreads a million remediations over a year.
const statsStep = 95 * time.Second

// statsBegin is the first start time of fill.sql.
var statsBegin = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

// benchStats measures statistics through the handler: against an aggregate that reads the table completely, and a range of time
// against the same range with a tenth as many records outside. A day in the range has changed since the maintenance run, as the current day has.
func benchStats(ctx context.Context, e *benchEnv) (lines []line, err error) {
	inside := e.options.fullOrShort(100_000, 4000)
	var stands [2]*stand
	for side, c := range []struct {
		database     string
		remediations int
	}{{"bench_stats", 10 * inside}, {"bench_stats_floor", inside + 9*inside/10}} {
		s, err := e.reopenStand(ctx, c.database, 0)
		if err != nil {
			return lines, err
		}
		defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
		if err := s.fillWithCorpus(ctx, corpus{1000, c.remediations, statsStep}); err != nil {
			return lines, err
		}
		if err := s.markDay(ctx, statsBegin.Add(24*time.Hour)); err != nil {
			return lines, err
		}
		stands[side] = s
	}
	for _, a := range statisticRequests(inside) {
		measured, err := stands[0].compareAggregate(ctx, a)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", a.what, err)
		}
		lines = append(lines, measured)
		if a.until.IsZero() {
			continue
		}
		if measured, err = compareOutside(ctx, stands, a); err != nil {
			return lines, fmt.Errorf("%s: %w", a.what, err)
		}
		lines = append(lines, measured)
	}
	return lines, nil
}

// markDay marks a day, as a migration does: statistics count its records.
func (s *stand) markDay(ctx context.Context, day time.Time) error {
	return s.execAsSuperuser(ctx, "INSERT INTO stats_changed VALUES ($1::date)", day)
}

// statistic is a request and its equivalent in SQL, which returns rows of a key and counts.
type statistic struct {
	what, path, query string
	// key is the expression that the aggregate groups by, where its condition in addition to the time range.
	key, where string
	// until is the end of the range, the zero time if there is none.
	until time.Time
	// isGoal is set if the line has a goal: not for a filter other than time, because it counts the records.
	isGoal bool
}

// statsSince is the beginning of the ranges: not midnight, so that a part of a day is counted from the records.
var statsSince = statsBegin.Add(90 * time.Minute)

func statisticRequests(inside int) []statistic {
	end := statsBegin.Add(time.Duration(inside/3) * statsStep)
	all := fmt.Sprintf("all %d", 10*inside)
	month := fmt.Sprintf("%d of a range of time, %d outside", inside, 9*inside)
	const rate, trend = "/v1/stats/success-rate", "/v1/stats/trend"
	return []statistic{
		{what: "success rate by namespace, " + all, path: rate, query: "group_by=namespace&limit=1000", key: "namespace", isGoal: true},
		{what: "success rate by action_type, " + all, path: rate, query: "group_by=action_type", key: "action_type", isGoal: true},
		{
			what: "trend by week, " + all, path: trend, query: "interval=week&since=2015-01-01T00:00:00Z&until=2016-06-01T00:00:00Z",
			key: "date_trunc('week', start_time, 'UTC')", isGoal: true,
		},
		{
			what: "success rate by namespace, " + month, path: rate, query: "group_by=namespace&limit=1000", key: "namespace", until: end,
			isGoal: true,
		},
		{
			what: "trend by day, " + month, path: trend, query: "interval=day", key: "date_trunc('day', start_time, 'UTC')", until: end,
			isGoal: true,
		},
		{
			what: "success rate by action_type, a fifth of all by namespace, from the records", path: rate,
			query: "group_by=action_type&namespace=shop-0", key: "action_type", where: "namespace = 'shop-0'",
		},
	}
}

func (a statistic) newStatisticEvent() ([]byte, error) {
	query := a.query
	if !a.until.IsZero() {
		query += "&since=" + url.QueryEscape(statsSince.Format(time.RFC3339)) + "&until=" + url.QueryEscape(a.until.Format(time.RFC3339))
	}
	return newGatewayEvent("GET "+a.path, a.path, query, "")
}

// totalOfResponse returns the number of remediations that a response counts.
func (s *stand) totalOfResponse(ctx context.Context, request []byte) (total int64, err error) {
	// The fields that both kinds of statistics have.
	var body struct {
		Data []struct{ Total int64 }
	}
	err = invokeInto(ctx, s.queryFunction(), request, &body)
	for _, row := range body.Data {
		total += row.Total
	}
	return total, err
}

// compareAggregate alternately queries the handler and has the server aggregate the table, with as many parallel workers as it plans.
func (s *stand) compareAggregate(ctx context.Context, a statistic) (l line, err error) {
	request, err := a.newStatisticEvent()
	if err != nil {
		return l, err
	}
	err = s.withSuperuser(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off"); err != nil {
			return err
		}
		counted, err := a.aggregateTable(ctx, conn)
		if err != nil {
			return err
		}
		total, err := s.totalOfResponse(ctx, request)
		if err == nil && total != counted {
			err = fmt.Errorf("the response counts %d remediations, the table has %d", total, counted)
		}
		if err != nil {
			return err
		}
		times, err := measureAlternately(ctx, s.options.fullOrShort(5, 1)*s.options.rounds, sides{
			func(ctx context.Context) (float64, error) { return s.timeResponse(ctx, request) },
			func(ctx context.Context) (float64, error) {
				return timeSeconds(func() error {
					_, err := a.aggregateTable(ctx, conn)
					return err
				})
			},
		})
		l = newStatisticsLine(a.what+"; floor: the aggregate over the table", times)
		if a.isGoal {
			l.goal = goal{most: 0.25}
		}
		return err
	})
	return l, err
}

// aggregateTable returns how many remediations it counted.
func (a statistic) aggregateTable(ctx context.Context, conn *pgx.Conn) (total int64, err error) {
	sql := fmt.Sprintf(`SELECT count(*), count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status = 'failure')
		FROM remediation_audit WHERE %s AND start_time >= $1 AND start_time < $2 GROUP BY %s`, cmp.Or(a.where, "true"), a.key)
	from, to := statsBegin, statsBegin.AddDate(100, 0, 0)
	if !a.until.IsZero() {
		from, to = statsSince, a.until
	}
	rows, err := conn.Query(ctx, sql, from, to)
	if err != nil {
		return 0, err
	}
	var count, success, failure int64
	_, err = pgx.ForEachRow(rows, []any{&count, &success, &failure}, func() error {
		total += count
		return nil
	})
	return total, err
}

func (s *stand) timeResponse(ctx context.Context, request []byte) (float64, error) {
	return timeSeconds(func() error { return invokeExpecting(ctx, s.queryFunction(), request, 200) })
}

// compareOutside requests the same range from two stands.
func compareOutside(ctx context.Context, stands [2]*stand, a statistic) (line, error) {
	request, err := a.newStatisticEvent()
	if err != nil {
		return line{}, err
	}
	var ways sides
	var totals [2]int64
	for side, s := range stands {
		if totals[side], err = s.totalOfResponse(ctx, request); err != nil {
			return line{}, err
		}
		ways[side] = func(ctx context.Context) (float64, error) { return s.timeResponse(ctx, request) }
	}
	if totals[0] != totals[1] {
		return line{}, fmt.Errorf("the same range has %d and %d remediations", totals[0], totals[1])
	}
	times, err := measureAlternately(ctx, stands[0].options.fullOrShort(50, 5)*stands[0].options.rounds, ways)
	l := newStatisticsLine(a.what+"; floor: a tenth as many outside", times)
	l.goal = goal{most: 1.2}
	return l, err
}

func newStatisticsLine(what string, times [2][]float64) line {
	return line{
		what: "stats: " + what, result: formatMilliseconds(medianOf(times[0])), floor: formatMilliseconds(medianOf(times[1])),
		ratio: medianOf(times[0]) / medianOf(times[1]),
	}
}
