-- +goose Up
-- The present bodies of the functions below are in functions/.

-- Counts of remediations by UTC day of their start, made by the maintain function so that statistics need not read every record. The counts
-- of a day are valid unless stats_changed lists it. For such days, and for parts of a day, a statement counts the records, in the same
-- snapshot, so its result always agrees with the records (docs/decisions/012).

-- The days whose counts may be wrong. Append-only and without a key, so concurrent writers never block each other.
CREATE TABLE stats_changed (
    day date NOT NULL
);

CREATE TABLE stats_daily (
    dimension text NOT NULL
        CHECK (dimension IN ('name', 'action_type', 'namespace', 'severity', 'cluster_name', 'environment')),
    day date NOT NULL,
    -- Empty for remediations without a value.
    key text NOT NULL,
    total integer NOT NULL,
    success integer NOT NULL,
    failure integer NOT NULL,
    PRIMARY KEY (dimension, day, key),
    CONSTRAINT stats_daily_counts CHECK (success >= 0 AND failure >= 0 AND total > 0 AND total >= success + failure)
);

-- By quarter of an hour, because every offset from UTC since 1972 is a multiple of it: hours, days and weeks of any time zone are sums of
-- quarters.
CREATE TABLE stats_quarter_hour (
    start_time timestamptz PRIMARY KEY CHECK (start_time = date_bin('15 minutes', start_time, '2000-01-01 00:00:00Z')),
    pending integer NOT NULL,
    running integer NOT NULL,
    success integer NOT NULL,
    failure integer NOT NULL,
    CONSTRAINT stats_quarter_hour_counts CHECK (
        pending >= 0 AND running >= 0 AND success >= 0 AND failure >= 0 AND pending + running + success + failure > 0
    )
);

-- +goose StatementBegin
CREATE FUNCTION stats_mark() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO public.stats_changed (day)
        SELECT (start_time AT TIME ZONE 'UTC')::date FROM before
        UNION
        SELECT (start_time AT TIME ZONE 'UTC')::date FROM changed;
    ELSIF TG_OP = 'TRUNCATE' THEN
        INSERT INTO public.stats_changed (day)
        SELECT DISTINCT day FROM public.stats_daily;
    ELSE
        INSERT INTO public.stats_changed (day)
        SELECT DISTINCT (start_time AT TIME ZONE 'UTC')::date FROM changed;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- For each statement: a batch of a thousand marks its day once.
CREATE TRIGGER stats_mark_insert AFTER INSERT ON remediation_audit
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stats_mark();
CREATE TRIGGER stats_mark_update AFTER UPDATE ON remediation_audit
    REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stats_mark();
CREATE TRIGGER stats_mark_delete AFTER DELETE ON remediation_audit
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stats_mark();
CREATE TRIGGER stats_mark_truncate AFTER TRUNCATE ON remediation_audit
    FOR EACH STATEMENT EXECUTE FUNCTION stats_mark();

-- The days of the existing records. Jumping from one day to the next by the index keeps the transaction, which blocks writers, short.
INSERT INTO stats_changed (day)
WITH RECURSIVE known AS (
    SELECT (min(start_time) AT TIME ZONE 'UTC')::date AS day FROM remediation_audit
    UNION ALL
    SELECT (
        SELECT (min(r.start_time) AT TIME ZONE 'UTC')::date
        FROM remediation_audit AS r
        WHERE r.start_time >= (k.day + 1)::timestamp AT TIME ZONE 'UTC'
    )
    FROM known AS k
    WHERE k.day IS NOT NULL
)
SELECT day FROM known WHERE day IS NOT NULL;

-- Counts a day again if it is marked as changed.
-- +goose StatementBegin
CREATE FUNCTION stats_roll_up(of_day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    since timestamptz := of_day::timestamp AT TIME ZONE 'UTC';
    until timestamptz := (of_day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('stats_roll_up'), of_day - date '2000-01-01');
    DELETE FROM public.stats_changed WHERE day = of_day;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM public.stats_daily
    WHERE dimension IN ('name', 'action_type', 'namespace', 'severity', 'cluster_name', 'environment') AND day = of_day;
    INSERT INTO public.stats_daily (dimension, day, key, total, success, failure)
    SELECT
        d.dimension,
        of_day,
        coalesce(d.key, ''),
        count(*),
        count(*) FILTER (WHERE r.status = 'success'),
        count(*) FILTER (WHERE r.status = 'failure')
    FROM public.remediation_audit AS r
    CROSS JOIN LATERAL (
        VALUES
            ('name', r.name), ('action_type', r.action_type), ('namespace', r.namespace), ('severity', r.severity),
            ('cluster_name', r.cluster_name), ('environment', r.environment)
    ) AS d (dimension, key)
    WHERE r.start_time >= since AND r.start_time < until
    GROUP BY d.dimension, coalesce(d.key, '');
    DELETE FROM public.stats_quarter_hour WHERE start_time >= since AND start_time < until;
    INSERT INTO public.stats_quarter_hour (start_time, pending, running, success, failure)
    SELECT
        date_bin('15 minutes', r.start_time, '2000-01-01 00:00:00Z'),
        count(*) FILTER (WHERE r.status = 'pending'),
        count(*) FILTER (WHERE r.status = 'running'),
        count(*) FILTER (WHERE r.status = 'success'),
        count(*) FILTER (WHERE r.status = 'failure')
    FROM public.remediation_audit AS r
    WHERE r.start_time >= since AND r.start_time < until
    GROUP BY 1;
    RETURN true;
END
$$;
-- +goose StatementEnd

-- The lower bound of the Wilson 95 % interval of success among ended.
CREATE FUNCTION wilson_low(success float8, ended float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN ended = 0 THEN NULL
    WHEN success = 0 THEN 0
    ELSE (
        success / ended + 3.8414588206941254 / (2 * ended)
        - 1.959963984540054 * sqrt(success / ended * (1 - success / ended) / ended + 3.8414588206941254 / (4 * ended * ended))
    ) / (1 + 3.8414588206941254 / ended)
END;

REVOKE EXECUTE ON FUNCTION stats_roll_up FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats_roll_up TO datastorage_writer;
GRANT SELECT ON stats_changed, stats_daily, stats_quarter_hour TO datastorage_writer, datastorage_reader;
GRANT INSERT ON stats_changed TO datastorage_writer;

-- +goose Down
DROP FUNCTION stats_roll_up, wilson_low;
DROP TRIGGER stats_mark_insert ON remediation_audit;
DROP TRIGGER stats_mark_update ON remediation_audit;
DROP TRIGGER stats_mark_delete ON remediation_audit;
DROP TRIGGER stats_mark_truncate ON remediation_audit;
DROP FUNCTION stats_mark;
DROP TABLE stats_changed, stats_daily, stats_quarter_hour;
