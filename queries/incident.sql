-- name: IncidentOutcomes :many
-- IncidentOutcomes answers, for each of the incidents, what the filters leave of its remediations, except one: counted by signature and
-- action.
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
WHERE (s.incident_id = ANY(@found::uuid[]) OR s.incident_id IS NULL AND s.id = ANY(@found::uuid[]))
    AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
    AND r.remediation_id IS DISTINCT FROM sqlc.narg('except')::text
GROUP BY s.id, r.signature_id, r.action_type
ORDER BY 1, occurrences DESC, r.signature_id, r.action_type;

-- name: IncidentRemediations :many
-- IncidentRemediations answers what the filters leave of each of the incidents, except one remediation: the newest per_signature
-- remediations without their long texts, newest first, and after them, marked solved, the newest that succeeded. Of these the workflows
-- come along, in the order of found, as far as they have budget bytes between them.
SELECT
    f.id::uuid AS incident_id, n.solved, n.id, n.remediation_id, n.name, n.namespace, n.cluster_name, n.environment, n.severity, n.action_type,
    n.target_resource, n.phase, n.status, n.start_time, n.end_time, n.duration_ms, n.signature_id,
    coalesce(CASE
        WHEN n.solved AND sum(CASE WHEN n.solved THEN octet_length(n.workflow_yaml) END) OVER (ORDER BY f.place) <= @budget::bigint
        THEN n.workflow_yaml
    END, '')::text AS workflow_yaml
FROM (SELECT unnest(@found::uuid[]) AS id, generate_series(1, cardinality(@found::uuid[])) AS place) AS f
CROSS JOIN LATERAL (
    SELECT false AS solved, newest.*
    FROM (
        SELECT r.*
        FROM signature AS s
        CROSS JOIN LATERAL (
            SELECT r.*
            FROM remediation_audit AS r
            WHERE r.signature_id = s.id
                AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
                AND r.remediation_id IS DISTINCT FROM sqlc.narg('except')::text
            ORDER BY r.start_time DESC, r.id DESC
            LIMIT @per_signature::bigint
        ) AS r
        WHERE s.incident_id = f.id OR s.incident_id IS NULL AND s.id = f.id
        ORDER BY r.start_time DESC, r.id DESC
        LIMIT @per_signature::bigint
    ) AS newest
    UNION ALL
    SELECT true AS solved, succeeded.*
    FROM (
        SELECT r.*
        FROM signature AS s
        CROSS JOIN LATERAL (
            SELECT r.*
            FROM remediation_audit AS r
            WHERE r.signature_id = s.id AND r.status = 'success'
                AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
                AND r.remediation_id IS DISTINCT FROM sqlc.narg('except')::text
            ORDER BY r.start_time DESC, r.id DESC
            LIMIT 1
        ) AS r
        WHERE s.incident_id = f.id OR s.incident_id IS NULL AND s.id = f.id
        ORDER BY r.start_time DESC, r.id DESC
        LIMIT 1
    ) AS succeeded
) AS n
ORDER BY f.place, n.solved, n.start_time DESC, n.id DESC;
