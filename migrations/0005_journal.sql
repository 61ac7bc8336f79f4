-- +goose Up
-- The present bodies of the functions below are in functions/.

-- The journal: one immutable row for every accepted write. leaf_hash is computed by the database over the very bytes it
-- keeps: SHA-256(0x00 || canonical), the leaf hash of RFC 6962 section 2.1.
CREATE TABLE audit_event (
    event_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('remediation', 'update', 'ai_analysis', 'workflow', 'execution')),
    remediation_id text NOT NULL CHECK (char_length(remediation_id) BETWEEN 1 AND 255),
    actor text NOT NULL CHECK (actor <> ''),
    canonical bytea NOT NULL,
    leaf_hash bytea NOT NULL GENERATED ALWAYS AS (sha256('\x00'::bytea || canonical)) STORED,
    -- SHA-256 of the content alone (no actor, id or time): equal for the same content sent again.
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    -- What the first answer said about the embedding, so that a replay can say the same.
    embedding text CHECK (embedding IN ('stored', 'pending')),
    PRIMARY KEY (recorded_at, event_id)
) PARTITION BY RANGE (recorded_at);

CREATE INDEX audit_event_history ON audit_event (remediation_id, recorded_at, event_id);

-- Rows of a month nobody has made a partition for are kept here rather than refused.
CREATE TABLE audit_event_default PARTITION OF audit_event DEFAULT;

-- +goose StatementBegin
CREATE FUNCTION audit_event_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_refuse_change();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse_change();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse_change();

-- Makes the partitions of this month and the given number of months after it, and answers how many were missing. A new
-- partition is built apart and then attached, which needs the default partition for itself for a moment: whoever reads the
-- journal holds that up, and whoever comes after waits behind it, so it gives up after a second and may be called again. A
-- month whose rows already lie in the default partition is left there.
-- +goose StatementBegin
CREATE FUNCTION audit_event_partitions_ahead(months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    first_day timestamptz;
    next_month timestamptz;
    part text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_event_partitions_ahead'));
    FOR month IN 0..least(months, 120) LOOP
        first_day := date_trunc('month', now()) + make_interval(months => month);
        next_month := first_day + interval '1 month';
        part := 'audit_event_' || to_char(first_day, 'YYYY_MM');
        CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
        CONTINUE WHEN EXISTS (
            SELECT FROM public.audit_event_default d WHERE d.recorded_at >= first_day AND d.recorded_at < next_month
        );
        EXECUTE format('CREATE TABLE public.%I (LIKE public.audit_event INCLUDING ALL)', part);
        EXECUTE format('CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON public.%I
            FOR EACH STATEMENT EXECUTE FUNCTION public.audit_event_refuse_change()', part);
        EXECUTE format('ALTER TABLE public.audit_event ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            part, first_day, next_month);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
-- +goose StatementEnd

SELECT audit_event_partitions_ahead(3);

REVOKE EXECUTE ON FUNCTION audit_event_partitions_ahead FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_event_partitions_ahead TO datastorage_writer;
GRANT SELECT, INSERT ON audit_event TO datastorage_writer;
GRANT SELECT ON audit_event TO datastorage_reader;

-- +goose Down
DROP TABLE audit_event;
DROP FUNCTION audit_event_refuse_change, audit_event_partitions_ahead;
