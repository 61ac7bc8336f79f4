-- Deletes those of the signatures that an older normalizer made and that no remediation refers to, with their vectors and terms, and
-- returns how many. It skips a signature that a write has locked. A write that starts meanwhile and needs a deleted signature waits for
-- this transaction and then violates its foreign key: the writer must send it again, signature and vector included.
CREATE OR REPLACE FUNCTION signature_drop(ids uuid[], current_normalizer smallint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    locked uuid[];
    unused uuid[];
    dropped bigint;
BEGIN
    SELECT array_agg(s.id) INTO locked
    FROM (
        SELECT id FROM public.signature
        WHERE id = ANY(ids) AND normalizer < current_normalizer
        ORDER BY id
        FOR UPDATE SKIP LOCKED
    ) AS s;
    -- A separate statement, because its snapshot is taken after the locks: every reference to these signatures is visible to it, and no
    -- new one can be added.
    SELECT array_agg(l.id) INTO unused
    FROM unnest(locked) AS l (id)
    WHERE NOT EXISTS (SELECT FROM public.remediation_audit AS r WHERE r.signature_id = l.id);
    DELETE FROM public.embedding WHERE signature_id = ANY(unused);
    DELETE FROM public.signature WHERE id = ANY(unused);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END
$$;

REVOKE EXECUTE ON FUNCTION signature_drop FROM PUBLIC;
GRANT EXECUTE ON FUNCTION signature_drop TO datastorage_writer;
