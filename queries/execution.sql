-- name: ExecutionAppend :many
-- ExecutionAppend writes executions and their journal entries in one statement, as RemediationAppend does, and returns a row for each that it
-- wrote. A record that is already stored, occurs twice in the input, or lacks its remediation has no row; ExecutionReceipts finds those that
-- are stored.
WITH input AS MATERIALIZED (
    SELECT
        a.canonical,
        a.content_hash,
        a.metadata,
        a.position,
        (a.event ->> 'event_id')::uuid AS event_id,
        (a.event ->> 'recorded_at')::timestamptz AS recorded_at,
        (a.event ->> 'actor')::text AS actor,
        (a.event -> 'content' ->> 'remediation_id')::text AS remediation_id,
        (a.event -> 'content' -> 'record')::jsonb AS record
    FROM (
        SELECT convert_from(u.canonical, 'UTF8')::jsonb AS event, u.canonical, u.content_hash, u.metadata, u.position
        FROM (
            SELECT
                unnest(@canonical::bytea[]) AS canonical,
                unnest(@content_hash::bytea[]) AS content_hash,
                unnest(@metadata::text[]) AS metadata,
                generate_series(1, cardinality(@canonical::bytea[])) AS position
        ) AS u
        -- Keeps the planner from parsing the JSON again for every field that is read from it.
        OFFSET 0
    ) AS a
),
new_row AS (
    INSERT INTO execution_audit (
        remediation_id,
        workflow_id,
        execution_id,
        action_type,
        target_resource,
        cluster_name,
        success,
        start_time,
        end_time,
        execution_time_ms,
        error_message,
        metadata, actor, event_id, created_at
    )
    SELECT
        i.remediation_id,
        i.record ->> 'workflow_id',
        i.record ->> 'execution_id',
        i.record ->> 'action_type',
        i.record ->> 'target_resource',
        i.record ->> 'cluster_name',
        (i.record ->> 'success')::boolean,
        (i.record ->> 'start_time')::timestamptz,
        (i.record ->> 'end_time')::timestamptz,
        (i.record ->> 'execution_time_ms')::bigint,
        i.record ->> 'error_message',
        i.metadata::json, i.actor, i.event_id, i.recorded_at
    FROM input AS i
    JOIN remediation_audit AS parent ON parent.remediation_id = i.remediation_id
    ORDER BY i.remediation_id, i.record ->> 'workflow_id', i.record ->> 'execution_id', i.position
    ON CONFLICT (remediation_id, workflow_id, execution_id) DO NOTHING
    RETURNING id, remediation_id, event_id
),
new_event AS (
    INSERT INTO audit_event (event_id, recorded_at, kind, remediation_id, actor, canonical, content_hash)
    SELECT i.event_id, i.recorded_at, 'execution', i.remediation_id, i.actor, i.canonical, i.content_hash
    FROM input AS i
    JOIN new_row AS r ON r.event_id = i.event_id
    RETURNING event_id, recorded_at, leaf_hash, content_hash
)
SELECT r.id, e.event_id AS sent_event_id, e.event_id, e.recorded_at, e.leaf_hash, e.content_hash
FROM new_row AS r
JOIN new_event AS e ON e.event_id = r.event_id;

-- name: ExecutionReceipts :many
-- ExecutionReceipts returns a row for every entry of canonical whose record is stored, whoever wrote it, as RemediationReceipts does.
SELECT c.id, i.event_id AS sent_event_id, e.event_id, e.recorded_at, e.leaf_hash, e.content_hash
FROM (
    SELECT
        (a.event ->> 'event_id')::uuid AS event_id,
        (a.event -> 'content' ->> 'remediation_id')::text AS remediation_id,
        (a.event -> 'content' -> 'record')::jsonb AS record
    FROM (
        SELECT convert_from(u.canonical, 'UTF8')::jsonb AS event
        FROM (SELECT unnest(@canonical::bytea[]) AS canonical) AS u
        OFFSET 0
    ) AS a
) AS i
JOIN execution_audit AS c
    ON c.remediation_id = i.remediation_id
    AND c.workflow_id = i.record ->> 'workflow_id'
    AND c.execution_id = i.record ->> 'execution_id'
JOIN audit_event AS e ON e.recorded_at = c.created_at AND e.event_id = c.event_id;

-- name: ExecutionList :many
-- ExecutionList returns the executions of a remediation, oldest first: at most page_size, cut where their free text together exceeds
-- budget bytes. fetched, the same in every row, is their number before that cut.
SELECT
    c.remediation_id, c.workflow_id, c.execution_id, c.action_type, c.target_resource, c.cluster_name, c.success,
    c.start_time, c.end_time, c.execution_time_ms, c.error_message, c.metadata, c.actor, c.created_at,
    c.fetched
FROM (
    SELECT
        c.id, c.remediation_id, c.workflow_id, c.execution_id, c.action_type, c.target_resource, c.cluster_name,
        c.success, c.start_time, c.end_time, c.execution_time_ms, c.error_message, c.metadata, c.actor, c.created_at,
        count(*) OVER () AS fetched,
        sum(octet_length(c.metadata::text) + coalesce(octet_length(c.error_message), 0)) OVER (
            ORDER BY c.created_at, c.id ROWS UNBOUNDED PRECEDING
        ) AS size
    FROM (
        SELECT
            c.id, c.remediation_id, c.workflow_id, c.execution_id, c.action_type, c.target_resource, c.cluster_name,
            c.success, c.start_time, c.end_time, c.execution_time_ms, c.error_message, c.metadata, c.actor,
            c.created_at
        FROM execution_audit AS c
        WHERE c.remediation_id = @remediation_id
        ORDER BY c.created_at, c.id
        LIMIT @page_size::bigint
    ) AS c
) AS c
WHERE c.size <= @budget::bigint
ORDER BY c.created_at, c.id;
