-- Returns the signatures of the remediations that match a filter, each once or more. The number of rows is that of the remediations that were
-- read: of a filter by target or by fingerprint alone at most 50 of each signature and value, otherwise all that match.
--
-- The planner inlines it and, where the filter is known at planning, executes one of the three branches (docs/decisions/023).
CREATE OR REPLACE FUNCTION remediation_signatures(filter jsonb) RETURNS TABLE (signature_id uuid)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH RECURSIVE alone AS NOT MATERIALIZED (
        SELECT
            filter ? 'target_resource' AND filter - 'target_resource' = '{}' AS target,
            filter ? 'alert_fingerprint' AND filter - 'alert_fingerprint' = '{}' AS fingerprint
    ),
    -- Each step reads 50 entries of the index by value and signature, and the next one skips the rest of the last signature. Reading 50 takes
    -- about twice as long as reading one.
    by_target AS (
        SELECT DISTINCT
            jsonb_array_elements_text(filter -> 'target_resource') AS target, '00000000-0000-0000-0000-000000000000'::uuid AS last, NULL::uuid[] AS signatures
        UNION ALL
        SELECT b.target, entry.signatures[cardinality(entry.signatures)], entry.signatures
        FROM by_target AS b
        CROSS JOIN LATERAL (
            SELECT array_agg(e.signature_id) AS signatures
            FROM (
                -- No target_resource = ..., with which the planner may prefer an index by signature.
                SELECT r.target_resource, r.signature_id
                FROM public.remediation_audit AS r
                WHERE (r.target_resource, r.signature_id) > (b.target, b.last)
                ORDER BY r.target_resource, r.signature_id
                LIMIT 50
            ) AS e
            WHERE e.target_resource = b.target
        ) AS entry
        WHERE entry.signatures IS NOT NULL
    ),
    by_fingerprint AS (
        SELECT DISTINCT
            jsonb_array_elements_text(filter -> 'alert_fingerprint') AS fingerprint, '00000000-0000-0000-0000-000000000000'::uuid AS last, NULL::uuid[] AS signatures
        UNION ALL
        SELECT b.fingerprint, entry.signatures[cardinality(entry.signatures)], entry.signatures
        FROM by_fingerprint AS b
        CROSS JOIN LATERAL (
            SELECT array_agg(e.signature_id) AS signatures
            FROM (
                SELECT r.alert_fingerprint, r.signature_id
                FROM public.remediation_audit AS r
                WHERE (r.alert_fingerprint, r.signature_id) > (b.fingerprint, b.last)
                ORDER BY r.alert_fingerprint, r.signature_id
                LIMIT 50
            ) AS e
            WHERE e.alert_fingerprint = b.fingerprint
        ) AS entry
        WHERE entry.signatures IS NOT NULL
    )
    SELECT unnest(b.signatures) FROM alone CROSS JOIN by_target AS b WHERE alone.target
    UNION ALL
    SELECT unnest(b.signatures) FROM alone CROSS JOIN by_fingerprint AS b WHERE alone.fingerprint
    UNION ALL
    SELECT r.signature_id
    FROM alone
    CROSS JOIN public.remediation_audit AS r
    WHERE NOT alone.target AND NOT alone.fingerprint AND public.remediation_matches(r, public.remediation_filter_read(filter))
$$;
