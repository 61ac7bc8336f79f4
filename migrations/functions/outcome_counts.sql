-- Counts the remediations of a signature in outcome_hot that match a filter, except one, by action. The filter has no id and no
-- remediation_id, and a fingerprint or a target only if the signature has resources. It is the sum of the counts of whole periods, of the
-- changes that are not yet in them, and of the records of the quarter hours that since and until divide.
CREATE OR REPLACE FUNCTION outcome_counts(signature uuid, filter jsonb, except_id text)
RETURNS TABLE (action_type text, occurrences bigint, success bigint, failure bigint)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    whole public.remediation_filter := public.remediation_filter_read(filter);
    timeless public.remediation_filter := public.remediation_filter_read(filter - '{since,until}'::text[]);
BEGIN
    RETURN QUERY
    WITH span AS MATERIALIZED (
        SELECT s.grain, s.since, s.until FROM public.stats_cover(ARRAY[coalesce(whole.since, '-infinity'), coalesce(whole.until, 'infinity')]) AS s
    )
    SELECT
        p.action_type, sum(p.n)::bigint, coalesce(sum(p.n) FILTER (WHERE p.status = 'success'), 0)::bigint,
        coalesce(sum(p.n) FILTER (WHERE p.status = 'failure'), 0)::bigint
    FROM (
        SELECT f.action_type, f.status, o.n
        FROM (
            SELECT o.facets, sum(o.n) AS n
            FROM span AS s
            -- One span at a time, each by the key.
            CROSS JOIN LATERAL (
                SELECT o.facets, o.n
                FROM public.outcome AS o
                WHERE o.signature_id = signature AND o.grain = s.grain AND o.period >= s.since AND o.period < s.until
                OFFSET 0
            ) AS o
            GROUP BY o.facets
        ) AS o
        JOIN public.outcome_facet AS f ON f.signature_id = signature AND f.facets = o.facets
        WHERE public.remediation_matches(
            public.outcome_remediation(
                f.signature_id, NULL, f.name, f.namespace, f.cluster_name, f.environment, f.severity, f.alert_fingerprint, f.action_type,
                f.target_resource, f.phase, f.status
            ), timeless
        )
        UNION ALL
        SELECT c.action_type, c.status, c.n
        FROM public.outcome_change AS c
        WHERE c.signature_id = signature
            AND NOT EXISTS (SELECT FROM span AS s WHERE s.grain = 'record' AND c.start_time >= s.since AND c.start_time < s.until)
            AND public.remediation_matches(
                public.outcome_remediation(
                    c.signature_id, c.start_time, c.name, c.namespace, c.cluster_name, c.environment, c.severity, c.alert_fingerprint,
                    c.action_type, c.target_resource, c.phase, c.status
                ), whole
            )
        UNION ALL
        SELECT r.action_type, r.status, 1
        FROM span AS s
        CROSS JOIN LATERAL (
            SELECT r.action_type, r.status
            FROM public.remediation_audit AS r
            WHERE r.signature_id = signature AND r.start_time >= s.since AND r.start_time < s.until
                AND public.remediation_matches(r, whole)
            OFFSET 0
        ) AS r
        WHERE s.grain = 'record'
        UNION ALL
        SELECT r.action_type, r.status, -1
        FROM public.remediation_audit AS r
        WHERE r.remediation_id = except_id AND r.signature_id = signature AND public.remediation_matches(r, whole)
    ) AS p
    GROUP BY p.action_type
    HAVING sum(p.n) > 0;
END
$$;

REVOKE EXECUTE ON FUNCTION outcome_counts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outcome_counts TO datastorage_writer, datastorage_reader;
