-- name: IncidentOutcomes :many
-- IncidentOutcomes counts, for each of the incidents, the remediations that match the filter, except one, by signature and action.
-- resources are the values of outcome_hot.resources for which the counts serve the filter; the others are counted from the records.
WITH member AS (
    SELECT
        coalesce(s.incident_id, s.id)::uuid AS incident_id, s.id AS signature_id,
        EXISTS (SELECT FROM outcome_hot AS h WHERE h.signature_id = s.id AND h.resources = ANY(@resources::boolean[])) AS is_counted
    FROM signature AS s
    WHERE s.incident_id = ANY(@incident_ids::uuid[]) OR s.incident_id IS NULL AND s.id = ANY(@incident_ids::uuid[])
)
SELECT
    m.incident_id,
    r.signature_id,
    r.action_type,
    count(*) AS occurrences,
    min(r.start_time)::timestamptz AS first_seen,
    max(r.start_time)::timestamptz AS last_seen,
    count(*) FILTER (WHERE r.status = 'success') AS success,
    count(*) FILTER (WHERE r.status = 'failure') AS failure
FROM member AS m
JOIN remediation_audit AS r ON r.signature_id = m.signature_id
WHERE NOT m.is_counted
    AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
    AND r.remediation_id IS DISTINCT FROM sqlc.narg('except')::text
GROUP BY m.incident_id, r.signature_id, r.action_type
UNION ALL
SELECT
    m.incident_id, m.signature_id, c.action_type, c.occurrences, oldest.start_time, newest.start_time, c.success, c.failure
FROM member AS m
CROSS JOIN LATERAL outcome_counts(m.signature_id, @filter::jsonb, sqlc.narg('except')::text) AS c
CROSS JOIN LATERAL (SELECT @filter::jsonb || jsonb_build_object('action_type', jsonb_build_array(c.action_type)) AS filter) AS f
CROSS JOIN LATERAL outcome_walk(m.signature_id, f.filter, sqlc.narg('except')::text, true, 1) AS oldest
CROSS JOIN LATERAL outcome_walk(m.signature_id, f.filter, sqlc.narg('except')::text, false, 1) AS newest
WHERE m.is_counted
ORDER BY 1, 4 DESC, 2, 3;

-- name: IncidentRemediations :many
-- IncidentRemediations returns, for each of the incidents, remediations that match the filter, except one: first the newest per_signature,
-- newest first and without their long texts, then, with solved set, the newest that succeeded. A solved row has its workflow as long as the
-- workflows up to it, in the order of incident_ids, are at most budget bytes together.
SELECT
    i.id::uuid AS incident_id, n.solved, r.id, r.remediation_id, r.name, r.namespace, r.cluster_name, r.environment, r.severity,
    r.action_type, r.target_resource, r.phase, r.status, r.start_time, r.end_time, r.duration_ms, r.signature_id,
    coalesce(CASE
        WHEN n.solved
            AND sum(CASE WHEN n.solved THEN octet_length(r.workflow_yaml) END) OVER (ORDER BY i.position) <= @budget::bigint
        THEN r.workflow_yaml
    END, '')::text AS workflow_yaml
FROM (
    SELECT unnest(@incident_ids::uuid[]) AS id, generate_series(1, cardinality(@incident_ids::uuid[])) AS position
) AS i
CROSS JOIN LATERAL (
    SELECT false AS solved, newest.id
    FROM (
        SELECT r.id
        FROM signature AS s
        CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM outcome_hot AS h WHERE h.signature_id = s.id AND h.resources = ANY(@resources::boolean[])) AS is_counted
        ) AS h
        CROSS JOIN LATERAL (
            (
                SELECT r.id, r.start_time
                FROM remediation_audit AS r
                WHERE NOT h.is_counted
                    AND r.signature_id = s.id
                    AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
                    AND r.remediation_id IS DISTINCT FROM sqlc.narg('except')::text
                ORDER BY r.start_time DESC, r.id DESC
                LIMIT @per_signature::bigint
            )
            UNION ALL
            SELECT w.id, w.start_time
            FROM outcome_walk(s.id, @filter::jsonb, sqlc.narg('except')::text, false, @per_signature::bigint) AS w
            WHERE h.is_counted
        ) AS r
        WHERE s.incident_id = i.id OR s.incident_id IS NULL AND s.id = i.id
        ORDER BY r.start_time DESC, r.id DESC
        LIMIT @per_signature::bigint
    ) AS newest
    UNION ALL
    SELECT true AS solved, succeeded.id
    FROM (
        SELECT r.id
        FROM signature AS s
        CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM outcome_hot AS h WHERE h.signature_id = s.id AND h.resources = ANY(@resources::boolean[])) AS is_counted
        ) AS h
        CROSS JOIN LATERAL (
            (
                SELECT r.id, r.start_time
                FROM remediation_audit AS r
                WHERE NOT h.is_counted
                    AND r.signature_id = s.id
                    AND r.status = 'success'
                    AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
                    AND r.remediation_id IS DISTINCT FROM sqlc.narg('except')::text
                ORDER BY r.start_time DESC, r.id DESC
                LIMIT 1
            )
            UNION ALL
            SELECT w.id, w.start_time
            FROM outcome_walk(
                s.id, @filter::jsonb || '{"status": ["success"]}', sqlc.narg('except')::text, false,
                -- No row if the filter excludes successes.
                (coalesce(@filter::jsonb -> 'status' ? 'success', true))::integer
            ) AS w
            WHERE h.is_counted
        ) AS r
        WHERE s.incident_id = i.id OR s.incident_id IS NULL AND s.id = i.id
        ORDER BY r.start_time DESC, r.id DESC
        LIMIT 1
    ) AS succeeded
) AS n
JOIN remediation_audit AS r ON r.id = n.id
ORDER BY i.position, n.solved, r.start_time DESC, r.id DESC;
