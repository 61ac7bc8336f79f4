-- name: StatsRates :many
-- StatsRates counts the outcomes of the remediations with since <= start_time < until by their value in a dimension (a column's name), which is
-- empty for those without one. It omits keys with fewer than min_samples ended remediations, and orders by the lower bound of the Wilson
-- interval, best first.
--
-- It reads the daily counts, except for days that changed since they were counted and for edges, the days that since or until divides:
-- for these it counts the records.
WITH recounted AS (
    SELECT c.day
    FROM stats_changed AS c
    WHERE (sqlc.narg('since')::timestamptz IS NULL OR c.day >= (sqlc.narg('since')::timestamptz AT TIME ZONE 'UTC')::date)
        AND (sqlc.narg('until')::timestamptz IS NULL OR c.day < sqlc.narg('until')::timestamptz AT TIME ZONE 'UTC')
    UNION
    SELECT unnest(@edges::date[])
),
span AS (
    SELECT
        greatest(t.day::timestamp AT TIME ZONE 'UTC', sqlc.narg('since')::timestamptz) AS since,
        least((t.day + 1)::timestamp AT TIME ZONE 'UTC', sqlc.narg('until')::timestamptz) AS until
    FROM recounted AS t
),
counted AS (
    SELECT d.key, d.total, d.success, d.failure
    FROM stats_daily AS d
    WHERE d.dimension = @dimension::text
        AND (sqlc.narg('since')::timestamptz IS NULL OR d.day >= (sqlc.narg('since')::timestamptz AT TIME ZONE 'UTC')::date)
        AND (sqlc.narg('until')::timestamptz IS NULL OR d.day < sqlc.narg('until')::timestamptz AT TIME ZONE 'UTC')
        AND d.day NOT IN (SELECT t.day FROM recounted AS t)
    UNION ALL
    SELECT n.key, n.total, n.success, n.failure
    FROM span AS p
    -- One day at a time, each by the index on start_time.
    CROSS JOIN LATERAL (
        SELECT
            stats_key(r, @dimension::text) AS key,
            count(*)::integer AS total,
            (count(*) FILTER (WHERE r.status = 'success'))::integer AS success,
            (count(*) FILTER (WHERE r.status = 'failure'))::integer AS failure
        FROM remediation_audit AS r
        WHERE r.start_time >= p.since AND r.start_time < p.until
        GROUP BY 1
    ) AS n
)
SELECT
    c.key::text AS key,
    sum(c.total)::bigint AS total,
    sum(c.success)::bigint AS success,
    sum(c.failure)::bigint AS failure
FROM counted AS c
GROUP BY c.key
HAVING sum(c.success) + sum(c.failure) >= @min_samples::bigint
ORDER BY
    wilson_low(sum(c.success)::float8, (sum(c.success) + sum(c.failure))::float8) DESC NULLS LAST,
    sum(c.success) + sum(c.failure) DESC,
    sum(c.total) DESC,
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
-- in ascending order, each a whole quarter of an hour of UTC; bucket numbers them from 1. Empty buckets have no row.
--
-- Like StatsRates, it reads counts, here those by quarter of an hour, and counts the records of changed days and edges.
WITH recounted AS (
    SELECT c.day
    FROM stats_changed AS c
    WHERE (sqlc.narg('since')::timestamptz IS NULL OR c.day >= (sqlc.narg('since')::timestamptz AT TIME ZONE 'UTC')::date)
        AND (sqlc.narg('until')::timestamptz IS NULL OR c.day < sqlc.narg('until')::timestamptz AT TIME ZONE 'UTC')
    UNION
    SELECT unnest(@edges::date[])
),
span AS (
    SELECT
        greatest(t.day::timestamp AT TIME ZONE 'UTC', sqlc.narg('since')::timestamptz) AS since,
        least((t.day + 1)::timestamp AT TIME ZONE 'UTC', sqlc.narg('until')::timestamptz) AS until
    FROM recounted AS t
),
counted AS (
    SELECT width_bucket(q.start_time, @starts::timestamptz[]) AS bucket, q.pending, q.running, q.success, q.failure
    FROM stats_quarter_hour AS q
    WHERE q.start_time >= sqlc.narg('since')::timestamptz
        AND q.start_time < sqlc.narg('until')::timestamptz
        AND (q.start_time AT TIME ZONE 'UTC')::date NOT IN (SELECT t.day FROM recounted AS t)
    UNION ALL
    SELECT n.bucket, n.pending, n.running, n.success, n.failure
    FROM span AS p
    CROSS JOIN LATERAL (
        SELECT
            width_bucket(r.start_time, @starts::timestamptz[]) AS bucket,
            (count(*) FILTER (WHERE r.status = 'pending'))::integer AS pending,
            (count(*) FILTER (WHERE r.status = 'running'))::integer AS running,
            (count(*) FILTER (WHERE r.status = 'success'))::integer AS success,
            (count(*) FILTER (WHERE r.status = 'failure'))::integer AS failure
        FROM remediation_audit AS r
        WHERE r.start_time >= p.since AND r.start_time < p.until
        GROUP BY 1
    ) AS n
)
SELECT
    c.bucket::integer AS bucket,
    sum(c.pending)::bigint AS pending,
    sum(c.running)::bigint AS running,
    sum(c.success)::bigint AS success,
    sum(c.failure)::bigint AS failure
FROM counted AS c
GROUP BY c.bucket
ORDER BY c.bucket;

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
-- StatsChangedDays returns the days that must be counted again, newest first.
SELECT DISTINCT day FROM stats_changed ORDER BY day DESC;

-- name: StatsRollUp :one
-- StatsRollUp counts a day again if it has changed, and returns whether it had.
SELECT stats_roll_up(@day::date);
