-- name: IncidentEventList :many
-- IncidentEventList answers a page of the incident_events view, newest first by created_at and id: of the first page_size as many as
-- have budget bytes between them, but always one. fetched is how many there were before that.
-- pod_name is empty where the target is not a pod.
SELECT
    i.id, i.remediation_id, i.alert_name, i.namespace, coalesce(i.pod_name, '')::text AS pod_name, i.workflow_status, i.workflow_yaml,
    i.error_message, i.created_at, i.updated_at, i.embedding_vector::real[] AS embedding_vector,
    i.fetched
FROM (
    SELECT
        v.*,
        row_number() OVER in_order AS place,
        count(*) OVER () AS fetched,
        sum(
            coalesce(octet_length(v.error_message), 0) + coalesce(octet_length(v.workflow_yaml), 0)
            + coalesce(10 * vector_dims(v.embedding_vector), 0)
        ) OVER in_order AS size
    FROM (
        SELECT
            v.id, v.remediation_id, v.alert_name, v.namespace, v.pod_name, v.workflow_status, v.workflow_yaml, v.error_message,
            v.created_at, v.updated_at, v.embedding_vector
        FROM incident_events AS v
        WHERE (sqlc.narg('alert_names')::text[] IS NULL OR v.alert_name = ANY(sqlc.narg('alert_names')::text[]))
            AND (sqlc.narg('namespaces')::text[] IS NULL OR v.namespace = ANY(sqlc.narg('namespaces')::text[]))
            AND (sqlc.narg('statuses')::text[] IS NULL OR v.workflow_status = ANY(sqlc.narg('statuses')::text[]))
            AND (sqlc.narg('since')::timestamptz IS NULL OR v.created_at >= sqlc.narg('since')::timestamptz)
            AND (sqlc.narg('until')::timestamptz IS NULL OR v.created_at < sqlc.narg('until')::timestamptz)
            AND (
                sqlc.narg('after_time')::timestamptz IS NULL
                OR (v.created_at, v.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::bigint)
            )
        ORDER BY v.created_at DESC, v.id DESC
        LIMIT @page_size::bigint
    ) AS v
    WINDOW in_order AS (ORDER BY v.created_at DESC, v.id DESC ROWS UNBOUNDED PRECEDING)
) AS i
WHERE i.place = 1 OR i.size <= @budget::bigint
ORDER BY i.created_at DESC, i.id DESC;
