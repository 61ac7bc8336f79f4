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
        -- The page first, from the table beneath the view: the view's vectors would be joined to every row that matches.
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
    ) AS p
    JOIN incident_events AS v ON v.id = p.id
    WINDOW in_order AS (ORDER BY v.created_at DESC, v.id DESC ROWS UNBOUNDED PRECEDING)
) AS i
WHERE i.place = 1 OR i.size <= @budget::bigint
ORDER BY i.created_at DESC, i.id DESC;
