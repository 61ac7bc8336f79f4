-- +goose Up
-- The present bodies of the functions below are in functions/.

-- A new normalizer renormalizes older records (docs/decisions/014): the maintain function looks up signatures of older normalizers by this
-- index, sets their incident, and deletes them once no record refers to them.
CREATE INDEX signature_normalizer ON signature (normalizer, id);

-- Deleting a signature, and the check of the foreign key, look up its vectors of all models.
CREATE INDEX embedding_signature ON embedding (signature_id);

GRANT UPDATE (incident_id) ON signature TO datastorage_writer;

-- Also for deleted signatures.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION signature_terms_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM signature_term WHERE term = ANY(OLD.terms) AND signature_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO signature_term (term, signature_id, count, length)
        SELECT unnest(NEW.terms), NEW.id, unnest(NEW.counts), NEW.length;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER signature_terms_gone AFTER DELETE ON signature FOR EACH ROW EXECUTE FUNCTION signature_terms_made();

-- Deletes unused signatures of older normalizers.
-- +goose StatementBegin
CREATE FUNCTION signature_drop(ids uuid[], current_normalizer smallint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    held uuid[];
    unused uuid[];
    dropped bigint;
BEGIN
    SELECT array_agg(s.id) INTO held
    FROM (
        SELECT id FROM public.signature
        WHERE id = ANY(ids) AND normalizer < current_normalizer
        ORDER BY id
        FOR UPDATE SKIP LOCKED
    ) AS s;
    -- A statement of its own, because its snapshot is taken after the locks: it sees every reference to these signatures.
    SELECT array_agg(h.id) INTO unused
    FROM unnest(held) AS h (id)
    WHERE NOT EXISTS (SELECT FROM public.remediation_audit AS r WHERE r.signature_id = h.id);
    DELETE FROM public.embedding WHERE signature_id = ANY(unused);
    DELETE FROM public.signature WHERE id = ANY(unused);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END
$$;
-- +goose StatementEnd

-- Also deletes terms that have become rare, because signatures can be deleted now.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION lexical_count(frequent bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    now_there bigint;
    mean double precision;
BEGIN
    SELECT count(*), coalesce(avg(length), 0) INTO now_there, mean FROM signature;
    IF EXISTS (SELECT FROM lexical_statistic WHERE abs(now_there - signatures) * 20 <= signatures) THEN
        RETURN false;
    END IF;
    -- A second count of this row waits here for the first.
    INSERT INTO lexical_statistic AS s (id, signatures, mean_length, counted_at)
    VALUES (1, now_there, mean, now())
    ON CONFLICT (id) DO UPDATE
    SET signatures = excluded.signatures, mean_length = excluded.mean_length, counted_at = excluded.counted_at;
    WITH counted AS MATERIALIZED (
        SELECT p.term, count(*) AS signatures
        FROM signature_term AS p
        GROUP BY p.term
        HAVING count(*) >= frequent
    ),
    rare AS (
        DELETE FROM lexical_term AS t WHERE NOT EXISTS (SELECT FROM counted AS c WHERE c.term = t.term)
    )
    INSERT INTO lexical_term AS t (term, signatures)
    SELECT c.term, c.signatures FROM counted AS c ORDER BY c.term
    ON CONFLICT (term) DO UPDATE SET signatures = excluded.signatures;
    RETURN true;
END
$$;
-- +goose StatementEnd

-- An update marks days only if it changes what is counted; a new signature, phase or text does not.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION stats_mark() RETURNS trigger
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

REVOKE EXECUTE ON FUNCTION signature_drop FROM PUBLIC;
GRANT EXECUTE ON FUNCTION signature_drop TO datastorage_writer;

-- +goose Down
DROP FUNCTION signature_drop;
DROP TRIGGER signature_terms_gone ON signature;
REVOKE UPDATE (incident_id) ON signature FROM datastorage_writer;
DROP INDEX signature_normalizer, embedding_signature;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION signature_terms_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM signature_term WHERE term = ANY(OLD.terms) AND signature_id = NEW.id;
    END IF;
    INSERT INTO signature_term (term, signature_id, count, length)
    SELECT unnest(NEW.terms), NEW.id, unnest(NEW.counts), NEW.length;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION lexical_count(frequent bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    now_there bigint;
    mean double precision;
BEGIN
    SELECT count(*), coalesce(avg(length), 0) INTO now_there, mean FROM signature;
    IF EXISTS (SELECT FROM lexical_statistic WHERE abs(now_there - signatures) * 20 <= signatures) THEN
        RETURN false;
    END IF;
    INSERT INTO lexical_statistic AS s (id, signatures, mean_length, counted_at)
    VALUES (1, now_there, mean, now())
    ON CONFLICT (id) DO UPDATE
    SET signatures = excluded.signatures, mean_length = excluded.mean_length, counted_at = excluded.counted_at;
    INSERT INTO lexical_term AS t (term, signatures)
    SELECT p.term, count(*)
    FROM signature_term AS p
    GROUP BY p.term
    HAVING count(*) >= frequent
    ORDER BY p.term
    ON CONFLICT (term) DO UPDATE SET signatures = excluded.signatures;
    RETURN true;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION stats_mark() RETURNS trigger
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
