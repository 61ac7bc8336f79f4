-- Counts the remediations between the first and the last of the bounds by their value in a dimension, in parts to be added up: period is
-- a time between the same two bounds as the part's remediations. Parts may be negative.
--
-- A part is the count of a period, a change that is not yet in the counts, or a count of records: of days that are marked to be counted
-- again, the records replace the counts; and the quarter hours that bounds divide are counted from the records.
CREATE OR REPLACE FUNCTION stats_parts(of_dimension text, bounds timestamptz[])
RETURNS SETOF stats_count
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY
    WITH span AS MATERIALIZED (
        SELECT s.grain, s.since, s.until FROM stats_cover(bounds) AS s
    ),
    marked AS MATERIALIZED (
        SELECT m.since, m.until
        FROM (
            SELECT
                greatest(c.day::timestamp AT TIME ZONE 'UTC', bounds[1]) AS since,
                least((c.day + 1)::timestamp AT TIME ZONE 'UTC', bounds[cardinality(bounds)]) AS until
            FROM (SELECT DISTINCT c.day FROM stats_changed AS c) AS c
        ) AS m
        WHERE m.since < m.until
    ),
    recorded AS MATERIALIZED (
        SELECT m.since, m.until FROM marked AS m
        UNION ALL
        SELECT s.since, s.until
        FROM span AS s
        WHERE s.grain = 'record' AND NOT EXISTS (SELECT FROM marked AS m WHERE s.since >= m.since AND s.until <= m.until)
    )
    SELECT of_dimension, s.grain, n.period, n.key, n.pending, n.running, n.success, n.failure
    FROM span AS s
    -- One span at a time, each by the index, here and below.
    CROSS JOIN LATERAL (
        SELECT n.*
        FROM stats_count AS n
        WHERE n.dimension = of_dimension AND n.period >= s.since AND n.period < s.until
            AND n.grain = CASE WHEN s.grain = 'hour' AND of_dimension <> 'all' THEN 'quarter' ELSE s.grain END
        OFFSET 0
    ) AS n
    UNION ALL
    SELECT of_dimension, s.grain, n.period, n.key, -n.pending, -n.running, -n.success, -n.failure
    FROM marked AS m
    JOIN stats_cover(ARRAY[m.since, m.until]) AS s ON s.grain <> 'record'
    CROSS JOIN LATERAL (
        SELECT n.*
        FROM stats_count AS n
        WHERE n.dimension = of_dimension AND n.grain = 'quarter' AND n.period >= s.since AND n.period < s.until
        OFFSET 0
    ) AS n
    UNION ALL
    SELECT
        of_dimension, 'record', r.period, r.key, r.pending, r.running, r.success, r.failure
    FROM recorded AS d
    CROSS JOIN LATERAL (
        SELECT
            greatest(date_bin('15 minutes', r.start_time, '2000-01-01 00:00:00Z'), d.since) AS period,
            stats_key(r, of_dimension) AS key,
            (count(*) FILTER (WHERE r.status = 'pending'))::integer AS pending,
            (count(*) FILTER (WHERE r.status = 'running'))::integer AS running,
            (count(*) FILTER (WHERE r.status = 'success'))::integer AS success,
            (count(*) FILTER (WHERE r.status = 'failure'))::integer AS failure
        FROM remediation_audit AS r
        WHERE r.start_time >= d.since AND r.start_time < d.until
        GROUP BY 1, 2
    ) AS r
    UNION ALL
    SELECT
        of_dimension, 'record', c.start_time, stats_key(outcome_remediation(
            NULL, NULL, c.name, c.namespace, c.cluster_name, c.environment, c.severity, NULL, c.action_type, NULL, NULL, NULL
        ), of_dimension), c.n * (c.status = 'pending')::integer, c.n * (c.status = 'running')::integer,
        c.n * (c.status = 'success')::integer, c.n * (c.status = 'failure')::integer
    FROM outcome_change AS c
    WHERE c.start_time >= bounds[1] AND c.start_time < bounds[cardinality(bounds)]
        AND NOT EXISTS (SELECT FROM recorded AS d WHERE c.start_time >= d.since AND c.start_time < d.until);
END
$$;
