-- name: RemediationAppend :many
-- RemediationAppend writes remediations with their signatures, the given vectors, and their journal entries, and returns a row for every
-- remediation that it wrote. One that is stored already, or that occurs twice in the input, has no row: RemediationReceipts returns it.
--
-- The arrays up to signature_ids are parallel, one element for each remediation. new_signature_ids and the other new_signature arrays hold
-- each signature once, its terms and counts as arrays in text; vector_signature_ids and vectors are as in EmbeddingInsert.
SELECT a.id::bigint AS id, a.event_id::uuid AS event_id, a.embedding::text AS embedding
FROM remediation_append(
    -- An array whose type is named with its schema, or int8, has elements that may be NULL (sqlc.yaml).
    @event_ids::uuid[], @recorded_at::timestamptz[], @actors::text[], @canonical::bytea[], @content_hashes::bytea[],
    @remediation_ids::text[], @names::text[], @namespaces::text[], @cluster_names::pg_catalog.text[], @environments::pg_catalog.text[],
    @severities::text[], @alert_fingerprints::pg_catalog.text[], @action_types::text[], @target_resources::pg_catalog.text[],
    @phases::text[], @statuses::text[], @start_times::timestamptz[], @end_times::pg_catalog.timestamptz[], @durations_ms::int8[],
    @error_messages::pg_catalog.text[], @workflow_yamls::pg_catalog.text[], @metadata::text[],
    @signature_ids::uuid[],
    @new_signature_ids::uuid[], @new_signature_incidents::uuid[], @new_signature_texts::text[], @new_signature_terms::text[],
    @new_signature_counts::text[], @new_signature_lengths::integer[], @normalizer::smallint, @analyzer::smallint,
    @vector_signature_ids::uuid[], @vectors::real[], @model::text
) AS a;

-- name: RemediationAppendKnown :one
-- RemediationAppendKnown is RemediationAppend for one remediation of a stored signature. It returns the id of the remediation, and 1 if
-- its signature has a vector or else 0; NULL if the remediation is stored already.
SELECT remediation_append_known(
    @event_id::uuid, @recorded_at::timestamptz, @actor::text, @canonical::bytea, @content_hash::bytea,
    @remediation_id::text, @name::text, @namespace::text, sqlc.narg('cluster_name')::text, sqlc.narg('environment')::text,
    @severity::text, sqlc.narg('alert_fingerprint')::text, @action_type::text, sqlc.narg('target_resource')::text, @phase::text,
    @status::text, @start_time::timestamptz, sqlc.narg('end_time')::timestamptz, sqlc.narg('duration_ms')::bigint,
    sqlc.narg('error_message')::text, sqlc.narg('workflow_yaml')::text, @metadata::text,
    @signature_id::uuid, @model::text
)::bigint[] AS written;

-- name: RemediationReceipts :many
-- RemediationReceipts returns a row for every entry of canonical whose remediation is stored, whoever wrote it, identified by
-- sent_event_id; the other columns are those of the entry that created the remediation.
SELECT
    r.id, i.event_id AS sent_event_id, e.event_id, e.recorded_at, e.leaf_hash, e.content_hash, e.embedding::text AS embedding
FROM (
    SELECT (a.event ->> 'event_id')::uuid AS event_id, (a.event -> 'content' ->> 'remediation_id')::text AS remediation_id
    FROM (
        SELECT convert_from(u.canonical, 'UTF8')::jsonb AS event
        FROM (SELECT unnest(@canonical::bytea[]) AS canonical) AS u
        OFFSET 0
    ) AS a
) AS i
JOIN remediation_audit AS r ON r.remediation_id = i.remediation_id
JOIN audit_event AS e ON e.recorded_at = r.created_at AND e.event_id = r.event_id;

-- name: RemediationLock :many
-- RemediationLock returns remediations and locks them against other updates until the transaction ends; their children can still be
-- written. Sorted, so that two batches cannot deadlock.
SELECT *
FROM remediation_audit
WHERE remediation_id = ANY(@remediation_ids::text[])
ORDER BY remediation_id
FOR NO KEY UPDATE;

-- name: RemediationGet :one
-- RemediationGet returns a remediation.
SELECT r.*
FROM remediation_get(@remediation_id::text) AS r;

-- name: RemediationChildKinds :one
-- RemediationChildKinds returns the kinds of children that a remediation has.
SELECT remediation_child_kinds(@remediation_id::text)::text[] AS kinds;

-- name: RemediationUpdate :execrows
-- RemediationUpdate writes the new states of locked remediations, their signatures, the given vectors, and the journal entries. states is a
-- JSON array of {remediation_id, phase, status, end_time, duration_ms, error_message, workflow_yaml, metadata (as text), signature_id,
-- updated_at}, one for each remediation; the other arrays are as in RemediationAppend, one element for each update.
WITH input AS (
    SELECT
        a.canonical,
        a.content_hash,
        (a.event ->> 'event_id')::uuid AS event_id,
        (a.event ->> 'recorded_at')::timestamptz AS recorded_at,
        (a.event ->> 'actor')::text AS actor,
        (a.event -> 'content' ->> 'remediation_id')::text AS remediation_id
    FROM (
        SELECT convert_from(u.canonical, 'UTF8')::jsonb AS event, u.canonical, u.content_hash
        FROM (SELECT unnest(@canonical::bytea[]) AS canonical, unnest(@content_hash::bytea[]) AS content_hash) AS u
        OFFSET 0
    ) AS a
),
new_signature AS (
    INSERT INTO signature (id, incident_id, text, normalizer, terms, counts, length, analyzer)
    SELECT s.id, s.incident_id, s.text, @normalizer::smallint, s.terms::bigint[], s.counts::smallint[], s.length, @analyzer::smallint
    FROM (
        SELECT
            unnest(@new_signature_id::uuid[]) AS id,
            unnest(@new_signature_incident::uuid[]) AS incident_id,
            unnest(@new_signature_text::text[]) AS text,
            unnest(@new_signature_terms::text[]) AS terms,
            unnest(@new_signature_counts::text[]) AS counts,
            unnest(@new_signature_length::integer[]) AS length
    ) AS s
    ORDER BY s.id
    ON CONFLICT (id) DO NOTHING
),
new_embedding AS (
    INSERT INTO embedding (model_id, signature_id, vector)
    SELECT v.model_id, v.signature_id, v.vector
    FROM (
        SELECT
            m.id AS model_id,
            (@vector_signature_id::uuid[])[n.i] AS signature_id,
            (@vectors::real[])[(n.i - 1) * m.dimensions + 1 : n.i * m.dimensions]::halfvec AS vector
        FROM embedding_model AS m
        CROSS JOIN (SELECT generate_subscripts(@vector_signature_id::uuid[], 1) AS i) AS n
        WHERE m.name = @model::text
    ) AS v
    ORDER BY v.signature_id
    ON CONFLICT (model_id, signature_id) DO NOTHING
),
new_event AS (
    INSERT INTO audit_event (event_id, recorded_at, kind, remediation_id, actor, canonical, content_hash)
    SELECT i.event_id, i.recorded_at, 'update', i.remediation_id, i.actor, i.canonical, i.content_hash
    FROM input AS i
)
UPDATE remediation_audit AS r
SET phase = s.state ->> 'phase',
    status = s.state ->> 'status',
    end_time = (s.state ->> 'end_time')::timestamptz,
    duration_ms = (s.state ->> 'duration_ms')::bigint,
    error_message = s.state ->> 'error_message',
    workflow_yaml = s.state ->> 'workflow_yaml',
    metadata = (s.state ->> 'metadata')::json,
    signature_id = (s.state ->> 'signature_id')::uuid,
    updated_at = (s.state ->> 'updated_at')::timestamptz
FROM (SELECT jsonb_array_elements(@states::jsonb) AS state) AS s
WHERE r.remediation_id = s.state ->> 'remediation_id';

-- name: RemediationBySignature :many
-- RemediationBySignature returns, of the remediations of a signature, what signatures are made of: at most page_size after the given
-- position, newest first, cut where their text together exceeds budget bytes, but at least one. fetched, the same in every row, is their
-- number before that cut.
WITH page AS (
    SELECT r.id, r.start_time, r.error_message, r.workflow_yaml
    FROM remediation_audit AS r
    WHERE r.signature_id = @signature_id::uuid
        AND (
            sqlc.narg('after_time')::timestamptz IS NULL
            OR (r.start_time, r.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::bigint)
        )
    ORDER BY r.start_time DESC, r.id DESC
    LIMIT @page_size::bigint
),
sized AS (
    SELECT
        p.id,
        row_number() OVER by_time AS position,
        count(*) OVER () AS fetched,
        sum(coalesce(octet_length(p.error_message), 0) + coalesce(octet_length(p.workflow_yaml), 0)) OVER by_time AS size
    FROM page AS p
    WINDOW by_time AS (ORDER BY p.start_time DESC, p.id DESC ROWS UNBOUNDED PRECEDING)
)
SELECT
    r.id, r.name, r.action_type, r.target_resource, r.error_message, r.workflow_yaml, r.start_time, r.updated_at, s.fetched
FROM sized AS s
JOIN remediation_audit AS r ON r.id = s.id
WHERE s.position = 1 OR s.size <= @budget::bigint
ORDER BY s.position;

-- name: RemediationRenormalize :execrows
-- RemediationRenormalize replaces the old signature of remediations by new ones. The arrays are parallel. It skips a remediation that has
-- another signature by now or was updated since the given time. It locks in the order of RemediationLock, so that it and an update cannot
-- deadlock.
WITH input AS (
    SELECT
        unnest(@ids::bigint[]) AS id,
        unnest(@updated::timestamptz[]) AS updated_at,
        unnest(@signature_ids::uuid[]) AS signature_id
),
locked AS MATERIALIZED (
    SELECT r.id, i.signature_id
    FROM input AS i
    JOIN remediation_audit AS r ON r.id = i.id
    WHERE r.signature_id = @old::uuid AND r.updated_at = i.updated_at
    ORDER BY r.remediation_id
    FOR NO KEY UPDATE OF r
)
UPDATE remediation_audit AS r
SET signature_id = l.signature_id
FROM locked AS l
WHERE r.id = l.id;

-- name: RemediationCountOld :one
-- RemediationCountOld returns how many remediations have a signature of a normalizer older than the given one.
SELECT count(*)
FROM signature AS s
JOIN remediation_audit AS r ON r.signature_id = s.id
WHERE s.normalizer < @normalizer::smallint;

-- name: RemediationList :many
-- RemediationList returns remediations that match the filter, ordered by start_time and id: at most page_size, cut where their free text
-- together exceeds budget bytes, but at least one. fetched, the same in every row, is their number before that cut.
--
-- An unnamed statement is planned with the values of its parameters, so one branch of the order remains in the plan.
WITH page AS (
    (
        SELECT r.id, r.start_time, r.error_message, r.workflow_yaml, r.metadata
        FROM remediation_audit AS r
        WHERE NOT @ascending::boolean
            AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
            AND (
                sqlc.narg('after_time')::timestamptz IS NULL
                OR (r.start_time, r.id) < (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::bigint)
            )
        ORDER BY r.start_time DESC, r.id DESC
        LIMIT @page_size::bigint OFFSET @skip::bigint
    )
    UNION ALL
    (
        SELECT r.id, r.start_time, r.error_message, r.workflow_yaml, r.metadata
        FROM remediation_audit AS r
        WHERE @ascending::boolean
            AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
            AND (
                sqlc.narg('after_time')::timestamptz IS NULL
                OR (r.start_time, r.id) > (sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::bigint)
            )
        ORDER BY r.start_time, r.id
        LIMIT @page_size::bigint OFFSET @skip::bigint
    )
),
sized AS (
    SELECT
        p.id,
        row_number() OVER by_time AS position,
        count(*) OVER () AS fetched,
        sum(
            coalesce(octet_length(p.error_message), 0) + coalesce(octet_length(p.workflow_yaml), 0)
            + octet_length(p.metadata::text)
        ) OVER by_time AS size
    FROM page AS p
    WINDOW by_time AS (
        ORDER BY
            CASE WHEN @ascending::boolean THEN p.start_time END,
            CASE WHEN @ascending::boolean THEN p.id END,
            p.start_time DESC,
            p.id DESC
        ROWS UNBOUNDED PRECEDING
    )
)
SELECT sqlc.embed(r), s.fetched
FROM sized AS s
JOIN remediation_audit AS r ON r.id = s.id
WHERE s.position = 1 OR s.size <= @budget::bigint
ORDER BY s.position;

-- name: RemediationNewest :many
-- RemediationNewest returns the first page_size remediations after the given position, newest first. It ends early after the row with which
-- their free text exceeds budget bytes.
SELECT r.*
FROM remediation_newest(
    sqlc.narg('after_time')::timestamptz, sqlc.narg('after_id')::bigint, @page_size::bigint, @budget::bigint
) AS r;

-- name: RemediationCount :one
-- RemediationCount returns how many remediations match the filter, counting up to max_count.
SELECT count(*)
FROM (
    SELECT
    FROM remediation_audit AS r
    WHERE remediation_matches(r, remediation_filter_read(@filter::jsonb))
    LIMIT @max_count::bigint
) AS matching;
