-- Returns a page of a remediation's journal, oldest first: at most page_size entries after a position, cut where they together exceed budget
-- bytes, but at least one. NULL as the position means the beginning. fetched is their number before that cut. Each session plans it once
-- (docs/decisions/006): the plan covers every partition of the journal.
CREATE OR REPLACE FUNCTION audit_event_history(
    remediation_id text, after_time timestamptz, after_id uuid, page_size bigint, budget bigint
) RETURNS TABLE (event_id uuid, recorded_at timestamptz, kind text, actor text, leaf_hash bytea, canonical text, fetched bigint)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    -- Defaults instead of OR, so that the comparison is an index condition in every plan.
    past_time timestamptz := coalesce(after_time, '-infinity');
    past_id uuid := coalesce(after_id, '00000000-0000-0000-0000-000000000000');
BEGIN
    RETURN QUERY
    SELECT e.event_id, e.recorded_at, e.kind, e.actor, e.leaf_hash, convert_from(e.canonical, 'UTF8'), e.fetched
    FROM (
        SELECT
            e.event_id, e.recorded_at, e.kind, e.actor, e.leaf_hash, e.canonical,
            row_number() OVER by_time AS position,
            count(*) OVER () AS fetched,
            sum(octet_length(e.canonical)) OVER by_time AS size
        FROM (
            SELECT e.event_id, e.recorded_at, e.kind, e.actor, e.leaf_hash, e.canonical
            FROM public.audit_event AS e
            WHERE e.remediation_id = audit_event_history.remediation_id AND (e.recorded_at, e.event_id) > (past_time, past_id)
            ORDER BY e.recorded_at, e.event_id
            LIMIT page_size
        ) AS e
        WINDOW by_time AS (ORDER BY e.recorded_at, e.event_id ROWS UNBOUNDED PRECEDING)
    ) AS e
    WHERE e.position = 1 OR e.size <= budget
    ORDER BY e.recorded_at, e.event_id;
END
$$;

REVOKE EXECUTE ON FUNCTION audit_event_history FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_event_history TO datastorage_writer, datastorage_reader;
