-- +goose Up
-- The present bodies of the functions below are in functions/.

-- The journal: one immutable row for every accepted write. The database computes leaf_hash from the stored bytes: SHA-256(0x00 || canonical),
-- the leaf hash of RFC 6962, section 2.1.
CREATE TABLE audit_event (
    event_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('remediation', 'update', 'ai_analysis', 'workflow', 'execution')),
    remediation_id text NOT NULL CHECK (char_length(remediation_id) BETWEEN 1 AND 255),
    actor text NOT NULL CHECK (actor <> ''),
    canonical bytea NOT NULL,
    leaf_hash bytea NOT NULL GENERATED ALWAYS AS (sha256('\x00'::bytea || canonical)) STORED,
    -- SHA-256 of the content without actor, id and time: the same if the same content is sent again.
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    -- The state of the embedding in the first response, so that a repeated write gets the same response.
    embedding text CHECK (embedding IN ('stored', 'pending')),
    PRIMARY KEY (recorded_at, event_id)
) PARTITION BY RANGE (recorded_at);

CREATE INDEX audit_event_history ON audit_event (remediation_id, recorded_at, event_id);

-- Holds the rows of months without a partition.
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

-- Creates the journal's missing partitions of this month and the given number of months after it.
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
