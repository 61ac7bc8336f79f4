-- Divides the time between each two neighbouring bounds into spans of the coarsest periods of the counts that fit: months, and before and
-- after them days, hours and quarter hours. The rest, parts of quarter hours, are spans of the grain record. The bounds are in ascending
-- order and may be infinite.
CREATE OR REPLACE FUNCTION stats_cover(bounds timestamptz[]) RETURNS TABLE (grain text, since timestamptz, until timestamptz)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
#variable_conflict use_column
BEGIN
    -- OFFSET 0 keeps the planner from copying each expression to where it is used, and again from there.
    RETURN QUERY
    SELECT s.grain, s.since, s.until
    FROM (
        SELECT unnest(bounds[:cardinality(bounds) - 1]) AS since, unnest(bounds[2:]) AS until
    ) AS b
    -- The first start and the last end of a period between the bounds. Intervals in hours, because days and months depend on the time zone.
    CROSS JOIN LATERAL (
        SELECT
            date_trunc('month', date_trunc('month', b.since - interval '1 microsecond', 'UTC') + interval '744 hours', 'UTC') AS month_since,
            date_trunc('month', b.until, 'UTC') AS month_until,
            date_trunc('day', b.since - interval '1 microsecond', 'UTC') + interval '24 hours' AS day_since,
            date_trunc('day', b.until, 'UTC') AS day_until,
            date_trunc('hour', b.since - interval '1 microsecond', 'UTC') + interval '1 hour' AS hour_since,
            date_trunc('hour', b.until, 'UTC') AS hour_until,
            date_bin('15 minutes', b.since - interval '1 microsecond', '2000-01-01 00:00:00Z') + interval '15 minutes' AS quarter_since,
            date_bin('15 minutes', b.until, '2000-01-01 00:00:00Z') AS quarter_until
        OFFSET 0
    ) AS p
    -- What the coarser grains cover; nothing is at the end.
    CROSS JOIN LATERAL (
        SELECT
            CASE WHEN p.month_since < p.month_until THEN p.month_since ELSE b.until END AS months_since,
            CASE WHEN p.month_since < p.month_until THEN p.month_until ELSE b.until END AS months_until,
            CASE WHEN p.day_since < p.day_until THEN p.day_since ELSE b.until END AS days_since,
            CASE WHEN p.day_since < p.day_until THEN p.day_until ELSE b.until END AS days_until,
            CASE WHEN p.hour_since < p.hour_until THEN p.hour_since ELSE b.until END AS hours_since,
            CASE WHEN p.hour_since < p.hour_until THEN p.hour_until ELSE b.until END AS hours_until,
            CASE WHEN p.quarter_since < p.quarter_until THEN p.quarter_since ELSE b.until END AS quarters_since,
            CASE WHEN p.quarter_since < p.quarter_until THEN p.quarter_until ELSE b.until END AS quarters_until
        OFFSET 0
    ) AS c
    CROSS JOIN LATERAL (
        VALUES
            ('month', c.months_since, p.month_until),
            ('day', p.day_since, least(c.months_since, p.day_until)), ('day', c.months_until, p.day_until),
            ('hour', p.hour_since, least(c.days_since, p.hour_until)), ('hour', c.days_until, p.hour_until),
            ('quarter', p.quarter_since, least(c.hours_since, p.quarter_until)), ('quarter', c.hours_until, p.quarter_until),
            ('record', b.since, c.quarters_since), ('record', c.quarters_until, b.until)
    ) AS s (grain, since, until)
    WHERE s.since < s.until;
END
$$;
