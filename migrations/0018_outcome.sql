-- +goose Up
-- Counts of remediations that are kept up to date by deltas (docs/decisions/023). The functions are in functions/.

-- The changes that outcome_merge has not yet added to the counts: a remediation gained (1) or lost (-1). Append-only and without a key, so
-- concurrent writers never wait for each other.
CREATE TABLE outcome_change (
    n smallint NOT NULL CHECK (n IN (-1, 1)),
    signature_id uuid NOT NULL,
    start_time timestamptz NOT NULL,
    name text NOT NULL,
    namespace text NOT NULL,
    cluster_name text,
    environment text,
    severity text NOT NULL,
    alert_fingerprint text,
    action_type text NOT NULL,
    target_resource text,
    phase text NOT NULL,
    status text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);

CREATE INDEX outcome_change_signature ON outcome_change (signature_id);

-- The counts of statistics: by value of a dimension and period of UTC, of which grain is the length: a quarter of an hour, an hour, a day,
-- a month. Every offset from UTC since 1972 is a multiple of a quarter of an hour. The dimension all has one key, which is empty, as is
-- the key of remediations without a value. Only the dimension all has hours, because the other dimensions have many keys.
CREATE TABLE stats_count (
    dimension text NOT NULL,
    grain text NOT NULL,
    period timestamptz NOT NULL,
    key text NOT NULL,
    pending integer NOT NULL,
    running integer NOT NULL,
    success integer NOT NULL,
    failure integer NOT NULL,
    PRIMARY KEY (dimension, grain, period, key)
) WITH (fillfactor = 80);

-- The signatures whose outcomes are counted: those that occurred often. The others are counted from the records. resources is set while
-- facets include the alert's fingerprint and the target.
CREATE TABLE outcome_hot (
    signature_id uuid PRIMARY KEY,
    resources boolean NOT NULL
);

-- What the remediations of a counted signature have in common, numbered by a hash.
CREATE TABLE outcome_facet (
    signature_id uuid NOT NULL,
    facets uuid NOT NULL,
    name text NOT NULL,
    namespace text NOT NULL,
    cluster_name text,
    environment text,
    severity text NOT NULL,
    alert_fingerprint text,
    action_type text NOT NULL,
    target_resource text,
    phase text NOT NULL,
    status text NOT NULL,
    PRIMARY KEY (signature_id, facets)
);

-- The number of remediations of a counted signature by period and facets.
CREATE TABLE outcome (
    signature_id uuid NOT NULL,
    grain text NOT NULL,
    period timestamptz NOT NULL,
    facets uuid NOT NULL,
    n integer NOT NULL,
    PRIMARY KEY (signature_id, grain, period, facets)
) WITH (fillfactor = 80);

GRANT SELECT ON outcome_change, stats_count, outcome_hot, outcome_facet, outcome TO datastorage_writer, datastorage_reader;
REVOKE INSERT ON stats_changed FROM datastorage_writer;

DROP TRIGGER stats_mark_insert ON remediation_audit;
DROP TRIGGER stats_mark_update ON remediation_audit;
DROP TRIGGER stats_mark_delete ON remediation_audit;
DROP TRIGGER stats_mark_truncate ON remediation_audit;
DROP FUNCTION stats_mark;

-- From here on, nothing changes the records until the end of this transaction.

-- Without the merge, which is in functions/.
-- +goose StatementBegin
CREATE FUNCTION outcome_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO public.outcome_change
        SELECT
            1, r.signature_id, r.start_time, r.name, r.namespace, r.cluster_name, r.environment, r.severity, r.alert_fingerprint,
            r.action_type, r.target_resource, r.phase, r.status
        FROM gained AS r;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO public.outcome_change
        SELECT c.*
        -- A row that changes its id has no counterpart and counts as changed.
        FROM lost AS l
        FULL JOIN gained AS g ON g.id = l.id
        CROSS JOIN LATERAL (
            VALUES
                (
                    -1, l.signature_id, l.start_time, l.name, l.namespace, l.cluster_name, l.environment, l.severity, l.alert_fingerprint,
                    l.action_type, l.target_resource, l.phase, l.status
                ),
                (
                    1, g.signature_id, g.start_time, g.name, g.namespace, g.cluster_name, g.environment, g.severity, g.alert_fingerprint,
                    g.action_type, g.target_resource, g.phase, g.status
                )
        ) AS c (n, signature_id)
        WHERE c.signature_id IS NOT NULL
            AND (
                l.signature_id, l.start_time, l.name, l.namespace, l.cluster_name, l.environment, l.severity, l.alert_fingerprint,
                l.action_type, l.target_resource, l.phase, l.status
            ) IS DISTINCT FROM (
                g.signature_id, g.start_time, g.name, g.namespace, g.cluster_name, g.environment, g.severity, g.alert_fingerprint,
                g.action_type, g.target_resource, g.phase, g.status
            );
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO public.outcome_change
        SELECT
            -1, r.signature_id, r.start_time, r.name, r.namespace, r.cluster_name, r.environment, r.severity, r.alert_fingerprint,
            r.action_type, r.target_resource, r.phase, r.status
        FROM lost AS r;
    ELSE
        TRUNCATE public.outcome_change, public.stats_changed, public.stats_count, public.outcome_hot, public.outcome_facet, public.outcome;
        RETURN NULL;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION outcome_changed FROM PUBLIC;

CREATE TRIGGER outcome_changed_insert AFTER INSERT ON remediation_audit
    REFERENCING NEW TABLE AS gained FOR EACH STATEMENT EXECUTE FUNCTION outcome_changed();
CREATE TRIGGER outcome_changed_update AFTER UPDATE ON remediation_audit
    REFERENCING OLD TABLE AS lost NEW TABLE AS gained FOR EACH STATEMENT EXECUTE FUNCTION outcome_changed();
CREATE TRIGGER outcome_changed_delete AFTER DELETE ON remediation_audit
    REFERENCING OLD TABLE AS lost FOR EACH STATEMENT EXECUTE FUNCTION outcome_changed();
CREATE TRIGGER outcome_changed_truncate AFTER TRUNCATE ON remediation_audit
    FOR EACH STATEMENT EXECUTE FUNCTION outcome_changed();

-- The days of the existing records are counted by the maintain function; until then, statistics count their records.
TRUNCATE stats_changed;
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

-- For the build before this one, until it is no longer deployed.
DROP TABLE stats_daily, stats_quarter_hour;

CREATE VIEW stats_daily AS
SELECT
    n.dimension, n.day, n.key, sum(n.total)::integer AS total, sum(n.success)::integer AS success, sum(n.failure)::integer AS failure
FROM (
    SELECT
        s.dimension, (s.period AT TIME ZONE 'UTC')::date AS day, s.key, s.pending + s.running + s.success + s.failure AS total, s.success,
        s.failure
    FROM stats_count AS s
    WHERE s.grain = 'day' AND s.dimension <> 'all'
    UNION ALL
    SELECT
        k.dimension, (c.start_time AT TIME ZONE 'UTC')::date, coalesce(k.key, ''), c.n, c.n * (c.status = 'success')::integer,
        c.n * (c.status = 'failure')::integer
    FROM outcome_change AS c
    CROSS JOIN LATERAL (
        VALUES
            ('name', c.name), ('action_type', c.action_type), ('namespace', c.namespace), ('severity', c.severity),
            ('cluster_name', c.cluster_name), ('environment', c.environment)
    ) AS k (dimension, key)
) AS n
GROUP BY n.dimension, n.day, n.key;

CREATE VIEW stats_quarter_hour AS
SELECT
    n.start_time, sum(n.pending)::integer AS pending, sum(n.running)::integer AS running, sum(n.success)::integer AS success,
    sum(n.failure)::integer AS failure
FROM (
    SELECT s.period AS start_time, s.pending, s.running, s.success, s.failure
    FROM stats_count AS s
    WHERE s.grain = 'quarter' AND s.dimension = 'all'
    UNION ALL
    SELECT
        date_bin('15 minutes', c.start_time, '2000-01-01 00:00:00Z'), c.n * (c.status = 'pending')::integer,
        c.n * (c.status = 'running')::integer, c.n * (c.status = 'success')::integer, c.n * (c.status = 'failure')::integer
    FROM outcome_change AS c
) AS n
GROUP BY n.start_time;

GRANT SELECT ON stats_daily, stats_quarter_hour TO datastorage_writer, datastorage_reader;

-- Its present body is in functions/ and counts into the new tables.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION stats_roll_up(of_day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS 'BEGIN RETURN false; END';
-- +goose StatementEnd

-- +goose Down
DROP VIEW stats_daily, stats_quarter_hour;
DROP TRIGGER outcome_changed_insert ON remediation_audit;
DROP TRIGGER outcome_changed_update ON remediation_audit;
DROP TRIGGER outcome_changed_delete ON remediation_audit;
DROP TRIGGER outcome_changed_truncate ON remediation_audit;
DROP FUNCTION IF EXISTS outcome_merge, outcome_counts, outcome_walk, stats_parts, outcome_remediation, stats_cover, stats_periods;
DROP FUNCTION outcome_changed;
DROP TABLE outcome_change, stats_count, outcome_hot, outcome_facet, outcome;

CREATE TABLE stats_daily (
    dimension text NOT NULL
        CHECK (dimension IN ('name', 'action_type', 'namespace', 'severity', 'cluster_name', 'environment')),
    day date NOT NULL,
    key text NOT NULL,
    total integer NOT NULL,
    success integer NOT NULL,
    failure integer NOT NULL,
    PRIMARY KEY (dimension, day, key),
    CONSTRAINT stats_daily_counts CHECK (success >= 0 AND failure >= 0 AND total > 0 AND total >= success + failure)
);

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
        SELECT DISTINCT (either.start_time AT TIME ZONE 'UTC')::date
        -- Rows that change their id have no counterpart and count as changed.
        FROM before AS b
        FULL JOIN changed AS c ON c.id = b.id
        CROSS JOIN LATERAL (VALUES (b.start_time), (c.start_time)) AS either (start_time)
        WHERE (b.start_time, b.status, b.name, b.action_type, b.namespace, b.severity, b.cluster_name, b.environment)
            IS DISTINCT FROM
            (c.start_time, c.status, c.name, c.action_type, c.namespace, c.severity, c.cluster_name, c.environment)
            AND either.start_time IS NOT NULL;
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

CREATE TRIGGER stats_mark_insert AFTER INSERT ON remediation_audit
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stats_mark();
CREATE TRIGGER stats_mark_update AFTER UPDATE ON remediation_audit
    REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stats_mark();
CREATE TRIGGER stats_mark_delete AFTER DELETE ON remediation_audit
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION stats_mark();
CREATE TRIGGER stats_mark_truncate AFTER TRUNCATE ON remediation_audit
    FOR EACH STATEMENT EXECUTE FUNCTION stats_mark();

TRUNCATE stats_changed;
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

-- The build before this one applies its functions again.
DELETE FROM schema_function;
GRANT SELECT ON stats_daily, stats_quarter_hour TO datastorage_writer, datastorage_reader;
GRANT INSERT ON stats_changed TO datastorage_writer;
