-- Returns the first page_size remediations after a position, newest first; NULL as the position means the beginning. It ends early after
-- the row with which the free text exceeds budget bytes. Each session plans it once (docs/decisions/006). Lists with a filter do not
-- use it, because their best plan depends on the filter's values.
CREATE OR REPLACE FUNCTION remediation_newest(after_time timestamptz, after_id bigint, page_size bigint, budget bigint)
RETURNS SETOF remediation_audit
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    -- Defaults instead of OR, so that the comparison is an index condition in every plan.
    before_time timestamptz := coalesce(after_time, 'infinity');
    before_id bigint := coalesce(after_id, 0);
BEGIN
    RETURN QUERY
    -- Whole rows, so that a new column needs no change here.
    SELECT (p.remediation).*
    FROM (
        SELECT
            r AS remediation,
            sum(
                coalesce(octet_length(r.error_message), 0) + coalesce(octet_length(r.workflow_yaml), 0)
                + octet_length(r.metadata::text)
            ) OVER (ORDER BY r.start_time DESC, r.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before
        FROM (
            SELECT r.*
            FROM public.remediation_audit AS r
            WHERE (r.start_time, r.id) < (before_time, before_id)
            ORDER BY r.start_time DESC, r.id DESC
            LIMIT page_size
        ) AS r
    ) AS p
    WHERE p.size_before IS NULL OR p.size_before <= budget
    ORDER BY (p.remediation).start_time DESC, (p.remediation).id DESC;
END
$$;

REVOKE EXECUTE ON FUNCTION remediation_newest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remediation_newest TO datastorage_writer, datastorage_reader;
