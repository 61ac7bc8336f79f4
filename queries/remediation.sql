-- name: RemediationAppend :many
-- RemediationAppend writes remediations with their signatures, the given vectors, and their journal entries in one statement. It reads
-- the columns from the canonical bytes, so the tables and the journal cannot disagree; metadata is separate because RFC 8785 rounds
-- numbers.
--
-- The arrays canonical, content_hash, metadata and signature_id are parallel, one element for each remediation. new_signature_id and the
-- other new_signature arrays hold each signature once, its terms and counts as arrays in text; vector_signature_id and vectors are as
-- in EmbeddingInsert.
--
-- It returns a row for every remediation it wrote. One that is stored already, or that occurs twice in the input, has no row:
-- RemediationReceipts returns it. To look for it here would open every partition of the journal for each write.
WITH input AS MATERIALIZED (
    SELECT
        a.canonical,
        a.content_hash,
        a.metadata,
        a.signature_id,
        a.position,
        (a.event ->> 'event_id')::uuid AS event_id,
        (a.event ->> 'recorded_at')::timestamptz AS recorded_at,
        (a.event ->> 'actor')::text AS actor,
        (a.event -> 'content' ->> 'remediation_id')::text AS remediation_id,
        (a.event -> 'content' -> 'record')::jsonb AS record
    FROM (
        SELECT
            convert_from(u.canonical, 'UTF8')::jsonb AS event, u.canonical, u.content_hash, u.metadata, u.signature_id, u.position
        FROM (
            SELECT
                unnest(@canonical::bytea[]) AS canonical,
                unnest(@content_hash::bytea[]) AS content_hash,
                unnest(@metadata::text[]) AS metadata,
                unnest(@signature_id::uuid[]) AS signature_id,
                generate_series(1, cardinality(@canonical::bytea[])) AS position
        ) AS u
        -- Keeps the planner from parsing the JSON again for every field that is read from it.
        OFFSET 0
    ) AS a
),
new_remediation AS (
    INSERT INTO remediation_audit (
        remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource,
        phase, status, start_time, end_time, duration_ms, error_message, workflow_yaml, metadata, signature_id, actor, event_id,
        created_at, updated_at
    )
    SELECT
        i.remediation_id,
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
        i.actor,
        i.event_id,
        i.recorded_at,
        i.recorded_at
    FROM input AS i
    -- Sorted, so that two batches cannot deadlock; of two with the same id the first is written.
    ORDER BY i.remediation_id, i.position
    ON CONFLICT (remediation_id) DO NOTHING
    RETURNING id, event_id, signature_id
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
    -- A remediation that is not written stores no signature; a signature of none of them belongs to an update.
    WHERE s.id IN (SELECT signature_id FROM new_remediation) OR s.id <> ALL(@signature_id::uuid[])
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
    -- The vector of a signature that is stored already is kept in any case: the provider was paid for it.
    WHERE v.signature_id IN (SELECT signature_id FROM new_remediation)
        OR v.signature_id <> ALL(@signature_id::uuid[])
        OR v.signature_id IN (SELECT s.id FROM signature AS s WHERE s.id = ANY(@vector_signature_id::uuid[]))
    ORDER BY v.signature_id
    ON CONFLICT (model_id, signature_id) DO NOTHING
),
new_event AS (
    INSERT INTO audit_event (event_id, recorded_at, kind, remediation_id, actor, canonical, content_hash, embedding)
    SELECT
        i.event_id,
        i.recorded_at,
        'remediation',
        i.remediation_id,
        i.actor,
        i.canonical,
        i.content_hash,
        CASE
            WHEN NOT EXISTS (SELECT FROM embedding_model WHERE name = @model::text) THEN 'pending'
            WHEN i.signature_id = ANY(@vector_signature_id::uuid[]) OR i.signature_id IN (
                SELECT e.signature_id
                FROM embedding AS e
                JOIN embedding_model AS m ON m.id = e.model_id
                WHERE m.name = @model::text AND e.signature_id = ANY(@signature_id::uuid[])
            ) THEN 'stored'
            ELSE 'pending'
        END
    FROM input AS i
    JOIN new_remediation AS r ON r.event_id = i.event_id
    RETURNING event_id, recorded_at, leaf_hash, content_hash, embedding
)
SELECT
    r.id, e.event_id AS sent_event_id, e.event_id, e.recorded_at, e.leaf_hash, e.content_hash, e.embedding::text AS embedding
FROM new_remediation AS r
JOIN new_event AS e ON e.event_id = r.event_id;

-- name: RemediationReceipts :many
-- RemediationReceipts returns a row for every entry of canonical whose remediation is stored, by whichever writer, identified by
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
SELECT
    id, remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource,
    phase, status, start_time, end_time, duration_ms, error_message, workflow_yaml, metadata, signature_id, actor, event_id,
    created_at, updated_at
FROM remediation_audit
WHERE remediation_id = ANY(@remediation_ids::text[])
ORDER BY remediation_id
FOR NO KEY UPDATE;

-- name: RemediationGet :one
-- RemediationGet returns a remediation.
SELECT
    id, remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource,
    phase, status, start_time, end_time, duration_ms, error_message, workflow_yaml, metadata, signature_id, actor, event_id,
    created_at, updated_at
FROM remediation_audit
WHERE remediation_id = @remediation_id;

-- name: RemediationUpdate :execrows
-- RemediationUpdate writes the new states of locked remediations, their signatures, the given vectors, and the journal entries. states is a JSON array of {remediation_id, phase, status, end_time, duration_ms, error_message, workflow_yaml, metadata
-- (as text), signature_id, updated_at}, one for each remediation; the other arrays are as in RemediationAppend, one element for each
-- update.
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
-- RemediationBySignature returns what signatures are made of for the remediations of a signature: of the first page_size after the given
-- position, newest first, as many as have budget bytes of text between them, but at least one. fetched, the same in every row, is their
-- number before that.
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
-- RemediationList returns, of the first page_size remediations that match the filter, ordered by start_time and id, as many as have
-- budget bytes of free text between them, but at least one. fetched, the same in every row, is their number before that.
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

-- name: RemediationCount :one
-- RemediationCount returns how many remediations match the filter, counting up to max_count.
SELECT count(*)
FROM (
    SELECT
    FROM remediation_audit AS r
    WHERE remediation_matches(r, remediation_filter_read(@filter::jsonb))
    LIMIT @max_count::bigint
) AS matching;
