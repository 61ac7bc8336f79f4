-- Returns the newest at_most remediations of a signature in outcome_hot that match a filter as outcome_counts takes it, except one, newest
-- first, or if ascending the oldest, oldest first. It reads the records of those quarter hours only that have matching ones by the counts or
-- by the changes that are not yet in them.
CREATE OR REPLACE FUNCTION outcome_walk(signature uuid, filter jsonb, except_id text, ascending boolean, at_most bigint)
RETURNS TABLE (id bigint, start_time timestamptz)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    whole public.remediation_filter := public.remediation_filter_read(filter);
    timeless public.remediation_filter := public.remediation_filter_read(filter - '{since,until}'::text[]);
    matching uuid[];
    changed timestamptz[];
    -- What is not yet read: quarter hours that begin from low on and before high.
    low timestamptz := coalesce(date_bin('15 minutes', whole.since, '2000-01-01 00:00:00Z'), '-infinity');
    high timestamptz := coalesce(whole.until, 'infinity');
    day timestamptz;
    quarter timestamptz;
    found_rows bigint;
BEGIN
    matching := ARRAY(
        SELECT f.facets
        FROM public.outcome_facet AS f
        WHERE f.signature_id = signature
            AND public.remediation_matches(
                public.outcome_remediation(
                    f.signature_id, NULL, f.name, f.namespace, f.cluster_name, f.environment, f.severity, f.alert_fingerprint,
                    f.action_type, f.target_resource, f.phase, f.status
                ), timeless
            )
    );
    changed := ARRAY(
        SELECT DISTINCT date_bin('15 minutes', c.start_time, '2000-01-01 00:00:00Z')
        FROM public.outcome_change AS c
        WHERE c.signature_id = signature AND c.n = 1
            AND public.remediation_matches(
                public.outcome_remediation(
                    c.signature_id, c.start_time, c.name, c.namespace, c.cluster_name, c.environment, c.severity, c.alert_fingerprint,
                    c.action_type, c.target_resource, c.phase, c.status
                ), whole
            )
    );
    WHILE at_most > 0 LOOP
        IF ascending THEN
            day := date_trunc('day', low, 'UTC');
            SELECT min(o.period) INTO quarter
            FROM public.outcome AS o
            WHERE o.signature_id = signature AND o.grain = 'quarter' AND o.facets = ANY(matching)
                AND o.period >= low AND o.period < least(high, day + interval '24 hours');
            IF quarter IS NULL THEN
                SELECT min(o.period) INTO day
                FROM public.outcome AS o
                WHERE o.signature_id = signature AND o.grain = 'day' AND o.facets = ANY(matching) AND o.period > day AND o.period < high;
                SELECT min(o.period) INTO quarter
                FROM public.outcome AS o
                WHERE o.signature_id = signature AND o.grain = 'quarter' AND o.facets = ANY(matching)
                    AND o.period >= day AND o.period < least(high, day + interval '24 hours');
            END IF;
            quarter := least(quarter, (SELECT min(c.at) FROM unnest(changed) AS c (at) WHERE c.at >= low AND c.at < high));
        ELSE
            day := date_trunc('day', high - interval '1 microsecond', 'UTC');
            SELECT max(o.period) INTO quarter
            FROM public.outcome AS o
            WHERE o.signature_id = signature AND o.grain = 'quarter' AND o.facets = ANY(matching)
                AND o.period >= greatest(low, day) AND o.period < high;
            IF quarter IS NULL THEN
                SELECT max(o.period) INTO day
                FROM public.outcome AS o
                WHERE o.signature_id = signature AND o.grain = 'day' AND o.facets = ANY(matching)
                    AND o.period >= date_trunc('day', low, 'UTC') AND o.period < day;
                SELECT max(o.period) INTO quarter
                FROM public.outcome AS o
                WHERE o.signature_id = signature AND o.grain = 'quarter' AND o.facets = ANY(matching)
                    AND o.period >= greatest(low, day) AND o.period < day + interval '24 hours';
            END IF;
            quarter := greatest(quarter, (SELECT max(c.at) FROM unnest(changed) AS c (at) WHERE c.at >= low AND c.at < high));
        END IF;
        EXIT WHEN quarter IS NULL;
        IF ascending THEN
            low := quarter + interval '15 minutes';
            RETURN QUERY
            SELECT r.id, r.start_time
            FROM public.remediation_audit AS r
            WHERE r.signature_id = signature AND r.start_time >= quarter AND r.start_time < low
                AND public.remediation_matches(r, whole) AND r.remediation_id IS DISTINCT FROM except_id
            ORDER BY r.start_time, r.id
            LIMIT at_most;
        ELSE
            high := quarter;
            RETURN QUERY
            SELECT r.id, r.start_time
            FROM public.remediation_audit AS r
            WHERE r.signature_id = signature AND r.start_time >= quarter AND r.start_time < quarter + interval '15 minutes'
                AND public.remediation_matches(r, whole) AND r.remediation_id IS DISTINCT FROM except_id
            ORDER BY r.start_time DESC, r.id DESC
            LIMIT at_most;
        END IF;
        GET DIAGNOSTICS found_rows = ROW_COUNT;
        at_most := at_most - found_rows;
    END LOOP;
END
$$;

REVOKE EXECUTE ON FUNCTION outcome_walk FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outcome_walk TO datastorage_writer, datastorage_reader;
