-- name: AuditEventHistory :many
-- AuditEventHistory returns a page of a remediation's journal, oldest first: at most page_size entries, cut where they together exceed
-- budget bytes, but at least one. fetched is their number before that cut. canonical is the exact text that leaf_hash was computed from.
SELECT
    e.event_id::uuid AS event_id, e.recorded_at::timestamptz AS recorded_at, e.kind::text AS kind, e.actor::text AS actor,
    e.leaf_hash::bytea AS leaf_hash, e.canonical::text AS canonical, e.fetched::bigint AS fetched
FROM audit_event_history(
    @remediation_id::text, sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::uuid, @page_size::bigint, @budget::bigint
) AS e;

-- name: AuditEventUpdatesAccepted :many
-- AuditEventUpdatesAccepted returns the event ids of those updates whose content is in the journal, under this or another event id. The
-- arrays are parallel.
SELECT sent.event_id::uuid AS event_id
FROM (
    SELECT
        unnest(@event_id::uuid[]) AS event_id,
        unnest(@remediation_id::text[]) AS remediation_id,
        unnest(@content_hash::bytea[]) AS content_hash
) AS sent
WHERE EXISTS (
    SELECT FROM audit_event AS e
    WHERE e.remediation_id = sent.remediation_id AND e.kind = 'update' AND e.content_hash = sent.content_hash
)
ORDER BY sent.event_id;

-- name: AuditEventPartitionsAhead :one
-- AuditEventPartitionsAhead creates the journal's missing partitions of this month and the given number of months after it, and returns
-- how many it created.
SELECT audit_event_partitions_ahead(@months::integer);
