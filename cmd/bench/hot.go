package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/client"
)

// ordinaryOccurrences is how often each incident of the corpus occurs.
const ordinaryOccurrences = 20

// benchHot measures hybrid searches that find an incident which occurred very often, beside the same searches where it occurred as
// often as any other, unfiltered and with each of its attributes as the filter.
func benchHot(ctx context.Context, e *benchEnv) (lines []line, err error) {
	signatures, often := e.options.fullOrShort(5000, 100), e.options.often
	var stands [2]*stand
	for side, c := range []struct {
		database    string
		occurrences int
	}{{"bench_hot", often}, {"bench_hot_floor", 0}} {
		s, err := e.reopenStand(ctx, c.database, searchDimensions)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
		if err := s.fillWithCorpus(ctx, corpus{signatures, ordinaryOccurrences * signatures, time.Minute}); err != nil {
			return nil, err
		}
		if err := s.repeatIncident(ctx, c.occurrences); err != nil {
			return nil, fmt.Errorf("%s: %w", c.database, err)
		}
		stands[side] = s
	}
	filters, err := stands[1].filtersOfIncident(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		request, err := newSearchEvent(hotQuery(), client.SearchModeHybrid, 10, filters[name])
		if err != nil {
			return lines, err
		}
		measured, err := compareOccurrences(ctx, stands, request)
		if err != nil {
			return lines, fmt.Errorf("filter %s: %w", name, err)
		}
		measured.what = fmt.Sprintf("hot: hybrid search, filter %s, an incident of %d; floor: it occurred %d times", name, often+ordinaryOccurrences, ordinaryOccurrences)
		lines = append(lines, measured)
	}
	return lines, nil
}

// hotQuery is a query whose best result is the incident that occurs very often.
func hotQuery() string {
	i := sampleIncident(7)
	return fmt.Sprintf("%s of %s: %s", i.alert, i.service, i.failure)
}

// hotSignature returns the signature that hotQuery finds first.
func (s *stand) hotSignature(ctx context.Context) (string, error) {
	request, err := newSearchEvent(hotQuery(), client.SearchModeHybrid, 1, "{}")
	if err != nil {
		return "", err
	}
	var results client.SearchResults
	if err := invokeInto(ctx, s.queryFunction(), request, &results); err != nil {
		return "", err
	}
	if len(results.Data) == 0 {
		return "", errors.New("the query finds nothing")
	}
	return results.Data[0].SignatureID, nil
}

// repeatIncident stores the newest remediation of hotSignature as many times again, a second apart and 1,000 in a statement, and runs the
// maintenance.
func (s *stand) repeatIncident(ctx context.Context, occurrences int) error {
	signature, err := s.hotSignature(ctx)
	if err != nil || occurrences == 0 {
		return err
	}
	s.logProgress("%s: repeat an incident %d times", s.database, occurrences)
	for first := 0; first < occurrences; first += 1000 {
		err := s.execAsSuperuser(ctx, `INSERT INTO remediation_audit (remediation_id, name, namespace, cluster_name, environment, severity,
				alert_fingerprint, action_type, target_resource, phase, status, start_time, signature_id, actor, event_id, created_at, updated_at)
			SELECT 'hot-' || i, r.name, r.namespace, r.cluster_name, r.environment, r.severity, r.alert_fingerprint, r.action_type,
				r.target_resource, r.phase, r.status, r.start_time + i * interval '1 second', r.signature_id, r.actor, gen_random_uuid(),
				r.created_at, r.updated_at
			FROM (SELECT * FROM remediation_audit WHERE signature_id = $1 ORDER BY start_time DESC, id DESC LIMIT 1) AS r
			CROSS JOIN generate_series($2::integer, $3::integer) AS i`, signature, first+1, min(first+1000, occurrences))
		if err != nil {
			return err
		}
	}
	if _, err := s.functions.Maintain.Invoke(ctx); err != nil {
		return err
	}
	return s.execAsSuperuser(ctx, "VACUUM (ANALYZE)")
}

// filtersOfIncident returns a filter for each attribute of the newest remediation of hotSignature, and none; since and until are not
// whole hours.
func (s *stand) filtersOfIncident(ctx context.Context) (filters map[string]string, err error) {
	signature, err := s.hotSignature(ctx)
	if err != nil {
		return nil, err
	}
	var attributes map[string]json.RawMessage
	err = s.withSuperuser(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT jsonb_strip_nulls(jsonb_build_object('namespace', namespace, 'cluster_name', cluster_name,
				'environment', environment, 'severity', severity, 'alert_fingerprint', alert_fingerprint, 'action_type', action_type,
				'target_resource', target_resource, 'phase', phase, 'status', status, 'name', name,
				'since', start_time - interval '100 minutes', 'until', start_time + interval '100 days 100 seconds'))
			FROM remediation_audit WHERE signature_id = $1 ORDER BY start_time DESC, id DESC LIMIT 1`, signature).Scan(&attributes)
	})
	filters = map[string]string{"none": "{}"}
	for name, value := range attributes {
		filters[name] = fmt.Sprintf("{%q: %s}", name, value)
	}
	return filters, err
}

// compareOccurrences alternates the same search between both stands. Both must find the incident that occurs very often on the first.
func compareOccurrences(ctx context.Context, stands [2]*stand, request []byte) (l line, err error) {
	var ways sides
	var most [2]int64
	for side, s := range stands {
		var results client.SearchResults
		if err := invokeInto(ctx, s.queryFunction(), request, &results); err != nil {
			return l, err
		}
		for _, result := range results.Data {
			most[side] = max(most[side], result.Occurrences)
		}
		ways[side] = func(ctx context.Context) (float64, error) { return s.timeResponse(ctx, request) }
	}
	if most[0] < 50*most[1] || most[1] == 0 {
		return l, fmt.Errorf("the most frequent result occurred %d times, on the floor %d times", most[0], most[1])
	}
	times, err := measureAlternately(ctx, stands[0].options.fullOrShort(15, 2)*stands[0].options.rounds, ways)
	return line{
		result: formatMilliseconds(medianOf(times[0])), floor: formatMilliseconds(medianOf(times[1])),
		ratio: medianRatio(times), goal: goal{most: 1.2},
	}, err
}
