-- name: IncidentOutcomes :many
-- IncidentOutcomes counts, for each of the incidents, the remediations that match the filter, except one, by signature and action.
SELECT
    coalesce(s.incident_id, s.id)::uuid AS incident_id,
    r.signature_id,
    r.action_type,
    count(*) AS occurrences,
    min(r.start_time)::timestamptz AS first_seen,
    max(r.start_time)::timestamptz AS last_seen,
    count(*) FILTER (WHERE r.status = 'success') AS success,
    count(*) FILTER (WHERE r.status = 'failure') AS failure
FROM signature AS s
JOIN remediation_audit AS r ON r.signature_id = s.id
WHERE (s.incident_id = ANY(@incident_ids::uuid[]) OR s.incident_id IS NULL AND s.id = ANY(@incident_ids::uuid[]))
    AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
    AND r.remediation_id IS DISTINCT FROM sqlc.narg('except')::text
GROUP BY s.id, r.signature_id, r.action_type
ORDER BY 1, occurrences DESC, r.signature_id, r.action_type;

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
            SELECT r.id, r.start_time
            FROM remediation_audit AS r
            WHERE r.signature_id = s.id
                AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
                AND r.remediation_id IS DISTINCT FROM sqlc.narg('except')::text
            ORDER BY r.start_time DESC, r.id DESC
            LIMIT @per_signature::bigint
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
            SELECT r.id, r.start_time
            FROM remediation_audit AS r
            WHERE r.signature_id = s.id
                AND r.status = 'success'
                AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
                AND r.remediation_id IS DISTINCT FROM sqlc.narg('except')::text
            ORDER BY r.start_time DESC, r.id DESC
            LIMIT 1
        ) AS r
        WHERE s.incident_id = i.id OR s.incident_id IS NULL AND s.id = i.id
        ORDER BY r.start_time DESC, r.id DESC
        LIMIT 1
    ) AS succeeded
) AS n
JOIN remediation_audit AS r ON r.id = n.id
ORDER BY i.position, n.solved, r.start_time DESC, r.id DESC;
