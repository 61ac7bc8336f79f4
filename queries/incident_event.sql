-- name: IncidentEventList :many
-- IncidentEventList returns a page of the incident_events view, newest first by created_at and id: at most page_size rows, cut where they
-- together exceed budget bytes, but at least one. fetched is their number before that cut. pod_name is empty if the target is not a pod.
WITH page AS (
    -- From the table under the view, because the view would join a vector to every row that matches.
    SELECT r.id
    FROM remediation_audit AS r
    WHERE (sqlc.narg('alert_names')::text[] IS NULL OR r.name = ANY(sqlc.narg('alert_names')::text[]))
        AND (sqlc.narg('namespaces')::text[] IS NULL OR r.namespace = ANY(sqlc.narg('namespaces')::text[]))
        AND (sqlc.narg('statuses')::text[] IS NULL OR r.status = ANY(sqlc.narg('statuses')::text[]))
        AND (sqlc.narg('since')::timestamptz IS NULL OR r.created_at >= sqlc.narg('since')::timestamptz)
        AND (sqlc.narg('until')::timestamptz IS NULL OR r.created_at < sqlc.narg('until')::timestamptz)
        AND (
            sqlc.narg('after_time')::timestamptz IS NULL
            OR (r.created_at, r.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::bigint)
        )
    ORDER BY r.created_at DESC, r.id DESC
    LIMIT @page_size::bigint
)
SELECT
    s.id, s.remediation_id, s.alert_name, s.namespace, coalesce(s.pod_name, '')::text AS pod_name, s.workflow_status, s.workflow_yaml,
    s.error_message, s.created_at, s.updated_at, s.embedding_vector::real[] AS embedding_vector, s.fetched
FROM (
    SELECT
        v.id, v.remediation_id, v.alert_name, v.namespace, v.pod_name, v.workflow_status, v.workflow_yaml,
        v.error_message, v.created_at, v.updated_at, v.embedding_vector,
        row_number() OVER by_time AS position,
        count(*) OVER () AS fetched,
        sum(
            coalesce(octet_length(v.error_message), 0) + coalesce(octet_length(v.workflow_yaml), 0)
            + coalesce(10 * vector_dims(v.embedding_vector), 0)
        ) OVER by_time AS size
    FROM page AS p
    JOIN incident_events AS v ON v.id = p.id
    WINDOW by_time AS (ORDER BY v.created_at DESC, v.id DESC ROWS UNBOUNDED PRECEDING)
) AS s
WHERE s.position = 1 OR s.size <= @budget::bigint
ORDER BY s.created_at DESC, s.id DESC;
