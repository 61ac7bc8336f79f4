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
    AND (sqlc.narg('ids')::bigint[] IS NULL OR r.id = ANY(sqlc.narg('ids')::bigint[]))
    AND (sqlc.narg('remediation_ids')::text[] IS NULL OR r.remediation_id = ANY(sqlc.narg('remediation_ids')::text[]))
    AND (sqlc.narg('names')::text[] IS NULL OR r.name = ANY(sqlc.narg('names')::text[]))
    AND (sqlc.narg('namespaces')::text[] IS NULL OR r.namespace = ANY(sqlc.narg('namespaces')::text[]))
    AND (sqlc.narg('phases')::text[] IS NULL OR r.phase = ANY(sqlc.narg('phases')::text[]))
    AND (sqlc.narg('statuses')::text[] IS NULL OR r.status = ANY(sqlc.narg('statuses')::text[]))
    AND (sqlc.narg('severities')::text[] IS NULL OR r.severity = ANY(sqlc.narg('severities')::text[]))
    AND (sqlc.narg('environments')::text[] IS NULL OR r.environment = ANY(sqlc.narg('environments')::text[]))
    AND (sqlc.narg('cluster_names')::text[] IS NULL OR r.cluster_name = ANY(sqlc.narg('cluster_names')::text[]))
    AND (sqlc.narg('action_types')::text[] IS NULL OR r.action_type = ANY(sqlc.narg('action_types')::text[]))
    AND (sqlc.narg('fingerprints')::text[] IS NULL OR r.alert_fingerprint = ANY(sqlc.narg('fingerprints')::text[]))
    AND (sqlc.narg('targets')::text[] IS NULL OR r.target_resource = ANY(sqlc.narg('targets')::text[]))
    AND (sqlc.narg('signature_ids')::uuid[] IS NULL OR r.signature_id = ANY(sqlc.narg('signature_ids')::uuid[]))
    AND (sqlc.narg('since')::timestamptz IS NULL OR r.start_time >= sqlc.narg('since')::timestamptz)
    AND (sqlc.narg('until')::timestamptz IS NULL OR r.start_time < sqlc.narg('until')::timestamptz)
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
                AND (sqlc.narg('ids')::bigint[] IS NULL OR r.id = ANY(sqlc.narg('ids')::bigint[]))
                AND (sqlc.narg('remediation_ids')::text[] IS NULL OR r.remediation_id = ANY(sqlc.narg('remediation_ids')::text[]))
                AND (sqlc.narg('names')::text[] IS NULL OR r.name = ANY(sqlc.narg('names')::text[]))
                AND (sqlc.narg('namespaces')::text[] IS NULL OR r.namespace = ANY(sqlc.narg('namespaces')::text[]))
                AND (sqlc.narg('phases')::text[] IS NULL OR r.phase = ANY(sqlc.narg('phases')::text[]))
                AND (sqlc.narg('statuses')::text[] IS NULL OR r.status = ANY(sqlc.narg('statuses')::text[]))
                AND (sqlc.narg('severities')::text[] IS NULL OR r.severity = ANY(sqlc.narg('severities')::text[]))
                AND (sqlc.narg('environments')::text[] IS NULL OR r.environment = ANY(sqlc.narg('environments')::text[]))
                AND (sqlc.narg('cluster_names')::text[] IS NULL OR r.cluster_name = ANY(sqlc.narg('cluster_names')::text[]))
                AND (sqlc.narg('action_types')::text[] IS NULL OR r.action_type = ANY(sqlc.narg('action_types')::text[]))
                AND (sqlc.narg('fingerprints')::text[] IS NULL OR r.alert_fingerprint = ANY(sqlc.narg('fingerprints')::text[]))
                AND (sqlc.narg('targets')::text[] IS NULL OR r.target_resource = ANY(sqlc.narg('targets')::text[]))
                AND (sqlc.narg('signature_ids')::uuid[] IS NULL OR r.signature_id = ANY(sqlc.narg('signature_ids')::uuid[]))
                AND (sqlc.narg('since')::timestamptz IS NULL OR r.start_time >= sqlc.narg('since')::timestamptz)
                AND (sqlc.narg('until')::timestamptz IS NULL OR r.start_time < sqlc.narg('until')::timestamptz)
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
                AND (sqlc.narg('ids')::bigint[] IS NULL OR r.id = ANY(sqlc.narg('ids')::bigint[]))
                AND (sqlc.narg('remediation_ids')::text[] IS NULL OR r.remediation_id = ANY(sqlc.narg('remediation_ids')::text[]))
                AND (sqlc.narg('names')::text[] IS NULL OR r.name = ANY(sqlc.narg('names')::text[]))
                AND (sqlc.narg('namespaces')::text[] IS NULL OR r.namespace = ANY(sqlc.narg('namespaces')::text[]))
                AND (sqlc.narg('phases')::text[] IS NULL OR r.phase = ANY(sqlc.narg('phases')::text[]))
                AND (sqlc.narg('statuses')::text[] IS NULL OR r.status = ANY(sqlc.narg('statuses')::text[]))
                AND (sqlc.narg('severities')::text[] IS NULL OR r.severity = ANY(sqlc.narg('severities')::text[]))
                AND (sqlc.narg('environments')::text[] IS NULL OR r.environment = ANY(sqlc.narg('environments')::text[]))
                AND (sqlc.narg('cluster_names')::text[] IS NULL OR r.cluster_name = ANY(sqlc.narg('cluster_names')::text[]))
                AND (sqlc.narg('action_types')::text[] IS NULL OR r.action_type = ANY(sqlc.narg('action_types')::text[]))
                AND (sqlc.narg('fingerprints')::text[] IS NULL OR r.alert_fingerprint = ANY(sqlc.narg('fingerprints')::text[]))
                AND (sqlc.narg('targets')::text[] IS NULL OR r.target_resource = ANY(sqlc.narg('targets')::text[]))
                AND (sqlc.narg('signature_ids')::uuid[] IS NULL OR r.signature_id = ANY(sqlc.narg('signature_ids')::uuid[]))
                AND (sqlc.narg('since')::timestamptz IS NULL OR r.start_time >= sqlc.narg('since')::timestamptz)
                AND (sqlc.narg('until')::timestamptz IS NULL OR r.start_time < sqlc.narg('until')::timestamptz)
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
