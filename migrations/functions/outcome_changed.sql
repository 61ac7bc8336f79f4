-- The trigger that records which remediations a statement gained and lost, for outcome_merge. It runs once for each statement. An update
-- records only what changes a count; a new text does not. Of some 2,000 changes, one calls the merge, so that the changes stay few even if
-- no maintenance runs; a merge that runs already is not waited for.
--
-- SECURITY DEFINER, because no role may change the counts directly.
CREATE OR REPLACE FUNCTION outcome_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    changes bigint;
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
        TRUNCATE
            public.outcome_change, public.stats_changed, public.stats_count, public.outcome_hot, public.outcome_facet, public.outcome,
            public.signature_location;
        RETURN NULL;
    END IF;
    GET DIAGNOSTICS changes = ROW_COUNT;
    IF random() * 2000 < changes THEN
        PERFORM public.outcome_merge(NULL, NULL, 10000);
    END IF;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION outcome_changed FROM PUBLIC;
