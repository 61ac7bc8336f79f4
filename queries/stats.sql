-- name: StatsRates :many
-- StatsRates answers how the remediations that began from since on and before until ended, by the values of a dimension (a column's
-- name); the key of those that have none is empty. Keys of which fewer than min_samples have ended are left out; best first by the lower
-- bound of the Wilson interval.
--
-- It reads the daily counts, and the records of the days that changed since they were counted or that edges names: those of which
-- since and until cut off a part.
WITH apart AS (
    SELECT c.day
    FROM stats_changed AS c
    WHERE (sqlc.narg('since')::timestamptz IS NULL OR c.day >= (sqlc.narg('since')::timestamptz AT TIME ZONE 'UTC')::date)
        AND (sqlc.narg('until')::timestamptz IS NULL OR c.day < sqlc.narg('until')::timestamptz AT TIME ZONE 'UTC')
    UNION
    SELECT unnest(@edges::date[])
),
piece AS (
    SELECT
        greatest(a.day::timestamp AT TIME ZONE 'UTC', sqlc.narg('since')::timestamptz) AS since,
        least((a.day + 1)::timestamp AT TIME ZONE 'UTC', sqlc.narg('until')::timestamptz) AS until
    FROM apart AS a
),
counted AS (
    SELECT d.key, d.total, d.success, d.failure
    FROM stats_daily AS d
    WHERE d.dimension = @dimension::text
        AND (sqlc.narg('since')::timestamptz IS NULL OR d.day >= (sqlc.narg('since')::timestamptz AT TIME ZONE 'UTC')::date)
        AND (sqlc.narg('until')::timestamptz IS NULL OR d.day < sqlc.narg('until')::timestamptz AT TIME ZONE 'UTC')
        AND d.day NOT IN (SELECT a.day FROM apart AS a)
    UNION ALL
    SELECT n.key, n.total, n.success, n.failure
    FROM piece AS p
    -- A day at a time, each along the index.
    CROSS JOIN LATERAL (
        SELECT
            coalesce(
                CASE @dimension::text
                    WHEN 'name' THEN r.name
                    WHEN 'action_type' THEN r.action_type
                    WHEN 'namespace' THEN r.namespace
                    WHEN 'severity' THEN r.severity
                    WHEN 'cluster_name' THEN r.cluster_name
                    WHEN 'environment' THEN r.environment
                END, ''
            ) AS key,
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
-- StatsRatesFiltered is StatsRates of the remediations that the filters leave, counted from the records.
WITH counted AS (
    SELECT
        coalesce(
            CASE @dimension::text
                WHEN 'name' THEN r.name
                WHEN 'action_type' THEN r.action_type
                WHEN 'namespace' THEN r.namespace
                WHEN 'severity' THEN r.severity
                WHEN 'cluster_name' THEN r.cluster_name
                WHEN 'environment' THEN r.environment
            END, ''
        ) AS key,
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
-- StatsTrend answers, for each of the buckets in which a remediation began from since on and before until, how many of each status there
-- are. starts are the buckets' beginnings in their order, each a whole quarter of an hour of UTC; place counts them from 1.
--
-- What it reads is as in StatsRates, with the counts by quarter of an hour.
WITH apart AS (
    SELECT c.day
    FROM stats_changed AS c
    WHERE (sqlc.narg('since')::timestamptz IS NULL OR c.day >= (sqlc.narg('since')::timestamptz AT TIME ZONE 'UTC')::date)
        AND (sqlc.narg('until')::timestamptz IS NULL OR c.day < sqlc.narg('until')::timestamptz AT TIME ZONE 'UTC')
    UNION
    SELECT unnest(@edges::date[])
),
piece AS (
    SELECT
        greatest(a.day::timestamp AT TIME ZONE 'UTC', sqlc.narg('since')::timestamptz) AS since,
        least((a.day + 1)::timestamp AT TIME ZONE 'UTC', sqlc.narg('until')::timestamptz) AS until
    FROM apart AS a
),
counted AS (
    SELECT width_bucket(q.start_time, @starts::timestamptz[]) AS place, q.pending, q.running, q.success, q.failure
    FROM stats_quarter_hour AS q
    WHERE q.start_time >= sqlc.narg('since')::timestamptz
        AND q.start_time < sqlc.narg('until')::timestamptz
        AND (q.start_time AT TIME ZONE 'UTC')::date NOT IN (SELECT a.day FROM apart AS a)
    UNION ALL
    SELECT n.place, n.pending, n.running, n.success, n.failure
    FROM piece AS p
    CROSS JOIN LATERAL (
        SELECT
            width_bucket(r.start_time, @starts::timestamptz[]) AS place,
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
    c.place::integer AS place,
    sum(c.pending)::bigint AS pending,
    sum(c.running)::bigint AS running,
    sum(c.success)::bigint AS success,
    sum(c.failure)::bigint AS failure
FROM counted AS c
GROUP BY c.place
ORDER BY c.place;

-- name: StatsTrendFiltered :many
-- StatsTrendFiltered is StatsTrend of the remediations that the filters leave, counted from the records; buckets begin at any time.
SELECT
    width_bucket(r.start_time, @starts::timestamptz[])::integer AS place,
    count(*) FILTER (WHERE r.status = 'pending') AS pending,
    count(*) FILTER (WHERE r.status = 'running') AS running,
    count(*) FILTER (WHERE r.status = 'success') AS success,
    count(*) FILTER (WHERE r.status = 'failure') AS failure
FROM remediation_audit AS r
WHERE remediation_matches(r, remediation_filter_read(@filter::jsonb))
GROUP BY 1
ORDER BY 1;

-- name: StatsChangedDays :many
-- StatsChangedDays answers the days whose counts are to be made anew, newest first.
SELECT DISTINCT day FROM stats_changed ORDER BY day DESC;

-- name: StatsRollUp :one
-- StatsRollUp counts a day anew, and answers whether that was needed.
SELECT stats_roll_up(@day::date);
