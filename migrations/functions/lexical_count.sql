-- Counts the signatures, their mean length, and the terms that at least `frequent` signatures contain, if the number of signatures has
-- changed by a twentieth since the last count; returns whether it counted. Only another count waits for it.
CREATE OR REPLACE FUNCTION lexical_count(frequent bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    signature_count bigint;
    mean double precision;
BEGIN
    SELECT count(*), coalesce(avg(length), 0) INTO signature_count, mean FROM signature;
    IF EXISTS (SELECT FROM lexical_statistic WHERE abs(signature_count - signatures) * 20 <= signatures) THEN
        RETURN false;
    END IF;
    -- A second count waits here for the first.
    INSERT INTO lexical_statistic AS s (id, signatures, mean_length, counted_at)
    VALUES (1, signature_count, mean, now())
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

REVOKE EXECUTE ON FUNCTION lexical_count FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lexical_count TO datastorage_writer;
