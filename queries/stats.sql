-- name: StatsRates :many
-- StatsRates counts the outcomes of the remediations between bounds (stats_parts) by their value in a dimension (a column's name), which is
-- empty for those without one. It omits keys with fewer than min_samples ended remediations, and orders by the lower bound of the Wilson
-- interval, best first.
WITH counted AS (
    SELECT
        n.key, sum(n.pending + n.running + n.success + n.failure) AS total, sum(n.success) AS success, sum(n.failure) AS failure
    FROM stats_parts(
        @dimension::text,
        ARRAY[coalesce(sqlc.narg('since')::timestamptz, '-infinity'), coalesce(sqlc.narg('until')::timestamptz, 'infinity')]
    ) AS n
    GROUP BY n.key
)
SELECT c.key::text AS key, c.total::bigint AS total, c.success::bigint AS success, c.failure::bigint AS failure
FROM counted AS c
WHERE c.total > 0 AND c.success + c.failure >= @min_samples::bigint
ORDER BY
    wilson_low(c.success::float8, (c.success + c.failure)::float8) DESC NULLS LAST,
    c.success + c.failure DESC,
    c.total DESC,
    c.key COLLATE "C"
LIMIT @page_size::bigint;

-- name: StatsRatesFiltered :many
-- StatsRatesFiltered counts as StatsRates does, from the records, the remediations that match the filter.
WITH counted AS (
    SELECT
        stats_key(r, @dimension::text) AS key,
        count(*) AS total,
        count(*) FILTER (WHERE r.status = 'success') AS success,
        count(*) FILTER (WHERE r.status = 'failure') AS failure
    FROM remediation_audit AS r
    WHERE remediation_matches(r, remediation_filter_read(@filter::jsonb))
    GROUP BY 1
)
SELECT c.key::text AS key, c.total, c.success, c.failure
FROM counted AS c
WHERE c.success + c.failure >= @min_samples::bigint
ORDER BY
    wilson_low(c.success::float8, (c.success + c.failure)::float8) DESC NULLS LAST,
    c.success + c.failure DESC,
    c.total DESC,
    c.key COLLATE "C"
LIMIT @page_size::bigint;

-- name: StatsTrend :many
-- StatsTrend counts the remediations with since <= start_time < until by bucket of time and status. starts are the beginnings of the buckets
-- in ascending order, each a whole quarter of an hour of UTC; bucket numbers them from 1. bounds are since, the starts after it, and until
-- (stats_parts). Empty buckets have no row.
SELECT
    width_bucket(n.period, @starts::timestamptz[])::integer AS bucket,
    sum(n.pending)::bigint AS pending,
    sum(n.running)::bigint AS running,
    sum(n.success)::bigint AS success,
    sum(n.failure)::bigint AS failure
FROM stats_parts('all', @bounds::timestamptz[]) AS n
GROUP BY 1
HAVING sum(n.pending + n.running + n.success + n.failure) > 0
ORDER BY 1;

-- name: StatsTrendFiltered :many
-- StatsTrendFiltered counts as StatsTrend does, from the records, the remediations that match the filter; buckets may start at any time.
SELECT
    width_bucket(r.start_time, @starts::timestamptz[])::integer AS bucket,
    count(*) FILTER (WHERE r.status = 'pending') AS pending,
    count(*) FILTER (WHERE r.status = 'running') AS running,
    count(*) FILTER (WHERE r.status = 'success') AS success,
    count(*) FILTER (WHERE r.status = 'failure') AS failure
FROM remediation_audit AS r
WHERE remediation_matches(r, remediation_filter_read(@filter::jsonb))
GROUP BY 1
ORDER BY 1;

-- name: StatsChangedDays :many
-- StatsChangedDays returns the days that are marked to be counted again, newest first.
SELECT DISTINCT day FROM stats_changed ORDER BY day DESC;

-- name: StatsRollUp :one
-- StatsRollUp counts a day from the records, and returns whether it was marked.
SELECT stats_roll_up(@day::date);

-- name: OutcomeMerge :one
-- OutcomeMerge adds the changes to the counts. To find and correct counts that are wrong it also counts again a random day and a random
-- signature, unless that has too many remediations; it returns how many counts were wrong.
SELECT outcome_merge(
    (
        SELECT (n.period AT TIME ZONE 'UTC')::date
        FROM stats_count AS n
        WHERE n.dimension = 'all' AND n.grain = 'day' AND (n.period AT TIME ZONE 'UTC')::date NOT IN (SELECT c.day FROM stats_changed AS c)
        ORDER BY random()
        LIMIT 1
    ),
    (
        SELECT o.signature_id
        FROM outcome AS o
        WHERE o.grain = 'month'
        GROUP BY o.signature_id
        HAVING sum(o.n) <= @largest::bigint
        ORDER BY random()
        LIMIT 1
    ),
    @largest::bigint
)::bigint;
