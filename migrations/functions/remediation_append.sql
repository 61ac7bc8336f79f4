-- Writes remediations with their signatures, the given vectors, and their journal entries, and returns a row for every remediation that it
-- wrote. One that is stored already, or that occurs twice in the input, has no row, because looking for it here would open every partition
-- of the journal.
--
-- The arrays of the first three groups are parallel, one element for each remediation. new_signature_ids and the other new_signature arrays
-- hold each signature once, its terms and counts as arrays in text; vector_signature_ids and vectors are as in EmbeddingInsert.
--
-- Each session plans the statement once, whatever its parameters are. enable_seqscan is off because a plan made while the tables were
-- empty would otherwise scan whole tables (docs/decisions/006).
CREATE OR REPLACE FUNCTION remediation_append(
    event_ids uuid[], recorded_at timestamptz[], actors text[], canonical bytea[], content_hashes bytea[],

    remediation_ids text[], names text[], namespaces text[], cluster_names text[], environments text[], severities text[],
    alert_fingerprints text[], action_types text[], target_resources text[], phases text[], statuses text[], start_times timestamptz[],
    end_times timestamptz[], durations_ms bigint[], error_messages text[], workflow_yamls text[], metadata text[],

    signature_ids uuid[],

    new_signature_ids uuid[], new_signature_incidents uuid[], new_signature_texts text[], new_signature_terms text[],
    new_signature_counts text[], new_signature_lengths integer[], normalizer smallint, analyzer smallint,
    vector_signature_ids uuid[], vectors real[], model text
) RETURNS TABLE (id bigint, event_id uuid, embedding text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH input AS MATERIALIZED (
        SELECT
            unnest(event_ids) AS event_id, unnest(remediation_append.recorded_at) AS recorded_at, unnest(actors) AS actor,
            unnest(canonical) AS canonical, unnest(content_hashes) AS content_hash, unnest(remediation_ids) AS remediation_id,
            unnest(names) AS name, unnest(namespaces) AS namespace, unnest(cluster_names) AS cluster_name,
            unnest(environments) AS environment, unnest(severities) AS severity, unnest(alert_fingerprints) AS alert_fingerprint,
            unnest(action_types) AS action_type, unnest(target_resources) AS target_resource, unnest(phases) AS phase,
            unnest(statuses) AS status, unnest(start_times) AS start_time, unnest(end_times) AS end_time,
            unnest(durations_ms) AS duration_ms, unnest(error_messages) AS error_message, unnest(workflow_yamls) AS workflow_yaml,
            unnest(remediation_append.metadata) AS metadata, unnest(signature_ids) AS signature_id,
            generate_series(1, cardinality(event_ids)) AS position
    ),
    new_remediation AS (
        INSERT INTO public.remediation_audit AS r (
            remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource,
            phase, status, start_time, end_time, duration_ms, error_message, workflow_yaml, metadata, signature_id, actor, event_id,
            created_at, updated_at
        )
        SELECT
            i.remediation_id, i.name, i.namespace, i.cluster_name, i.environment, i.severity, i.alert_fingerprint, i.action_type,
            i.target_resource, i.phase, i.status, i.start_time, i.end_time, i.duration_ms, i.error_message, i.workflow_yaml,
            i.metadata::json, i.signature_id, i.actor, i.event_id, i.recorded_at, i.recorded_at
        FROM input AS i
        -- Sorted, so that two batches cannot deadlock; of two with the same id the first is written.
        ORDER BY i.remediation_id, i.position
        ON CONFLICT (remediation_id) DO NOTHING
        RETURNING r.id, r.event_id, r.signature_id
    ),
    new_signature AS (
        INSERT INTO public.signature (id, incident_id, text, normalizer, terms, counts, length, analyzer)
        SELECT
            s.id, s.incident_id, s.text, remediation_append.normalizer, s.terms::bigint[], s.counts::smallint[], s.length,
            remediation_append.analyzer
        FROM (
            SELECT
                unnest(new_signature_ids) AS id, unnest(new_signature_incidents) AS incident_id, unnest(new_signature_texts) AS text,
                unnest(new_signature_terms) AS terms, unnest(new_signature_counts) AS counts, unnest(new_signature_lengths) AS length
        ) AS s
        -- Not the signatures of remediations that were not written. A signature of none of the remediations belongs to an update.
        WHERE s.id IN (SELECT n.signature_id FROM new_remediation AS n) OR s.id <> ALL(signature_ids)
        ORDER BY s.id
        ON CONFLICT (id) DO NOTHING
    ),
    new_embedding AS (
        INSERT INTO public.embedding (model_id, signature_id, vector)
        SELECT v.model_id, v.signature_id, v.vector
        FROM (
            SELECT
                m.id AS model_id,
                vector_signature_ids[n.i] AS signature_id,
                vectors[(n.i - 1) * m.dimensions + 1 : n.i * m.dimensions]::halfvec AS vector
            FROM public.embedding_model AS m
            CROSS JOIN (SELECT generate_subscripts(vector_signature_ids, 1) AS i) AS n
            WHERE m.name = model
        ) AS v
        -- In addition, the vectors of signatures that were stored before: they are kept in any case, because the provider was paid for them.
        WHERE v.signature_id IN (SELECT n.signature_id FROM new_remediation AS n)
            OR v.signature_id <> ALL(signature_ids)
            OR v.signature_id IN (SELECT s.id FROM public.signature AS s WHERE s.id = ANY(vector_signature_ids))
        ORDER BY v.signature_id
        ON CONFLICT (model_id, signature_id) DO NOTHING
    ),
    new_event AS (
        INSERT INTO public.audit_event AS e (
            event_id, recorded_at, kind, remediation_id, actor, canonical, content_hash, embedding
        )
        SELECT
            i.event_id, i.recorded_at, 'remediation', i.remediation_id, i.actor, i.canonical, i.content_hash,
            CASE
                WHEN NOT EXISTS (SELECT FROM public.embedding_model AS m WHERE m.name = model) THEN 'pending'
                WHEN i.signature_id = ANY(vector_signature_ids) OR i.signature_id IN (
                    SELECT e.signature_id
                    FROM public.embedding AS e
                    JOIN public.embedding_model AS m ON m.id = e.model_id
                    WHERE m.name = model AND e.signature_id = ANY(signature_ids)
                ) THEN 'stored'
                ELSE 'pending'
            END
        FROM input AS i
        JOIN new_remediation AS n ON n.event_id = i.event_id
        RETURNING e.event_id, e.embedding
    )
    SELECT n.id, e.event_id, e.embedding
    FROM new_remediation AS n
    JOIN new_event AS e ON e.event_id = n.event_id;
END
$$;

REVOKE EXECUTE ON FUNCTION remediation_append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remediation_append TO datastorage_writer;
