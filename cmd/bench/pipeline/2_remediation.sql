INSERT INTO remediation_audit (
    remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource,
    phase, status, start_time, end_time, duration_ms, error_message, workflow_yaml, metadata, signature_id, actor, event_id,
    created_at, updated_at
)
SELECT
    i.event -> 'content' ->> 'remediation_id',
    i.record ->> 'name',
    i.record ->> 'namespace',
    i.record ->> 'cluster_name',
    i.record ->> 'environment',
    i.record ->> 'severity',
    i.record ->> 'alert_fingerprint',
    i.record ->> 'action_type',
    i.record ->> 'target_resource',
    i.record ->> 'phase',
    i.record ->> 'status',
    (i.record ->> 'start_time')::timestamptz,
    (i.record ->> 'end_time')::timestamptz,
    (i.record ->> 'duration_ms')::bigint,
    i.record ->> 'error_message',
    i.record ->> 'workflow_yaml',
    i.metadata::json,
    i.signature_id,
    i.event ->> 'actor',
    (i.event ->> 'event_id')::uuid,
    (i.event ->> 'recorded_at')::timestamptz,
    (i.event ->> 'recorded_at')::timestamptz
FROM (
    SELECT p.event, p.event -> 'content' -> 'record' AS record, p.metadata, p.signature_id
    FROM (
        SELECT convert_from(u.canonical, 'UTF8')::jsonb AS event, u.metadata, u.signature_id
        FROM (
            SELECT unnest($1::bytea[]) AS canonical, unnest($2::text[]) AS metadata, unnest($3::uuid[]) AS signature_id
        ) AS u
        OFFSET 0
    ) AS p
    OFFSET 0
) AS i
ORDER BY 1
ON CONFLICT (remediation_id) DO NOTHING
