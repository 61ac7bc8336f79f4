-- name: SignatureStored :many
-- SignatureStored returns those of the signatures that have a vector of the model.
SELECT e.signature_id
FROM embedding AS e
JOIN embedding_model AS m ON m.id = e.model_id
WHERE m.name = @model::text AND e.signature_id = ANY(@signature_ids::uuid[]);

-- name: SignaturePending :many
-- SignaturePending returns signatures without a vector of the model, in the order of their ids, after the given id. It locks nothing, so
-- two callers may get the same rows. It leaves out signatures of normalizers older than the given one, whose remediations get new
-- signatures, and returns nothing for an unregistered model.
SELECT s.id, s.text
FROM signature AS s
JOIN embedding_model AS m ON m.name = @model::text
WHERE s.id > @after::uuid
    AND s.normalizer >= @normalizer::smallint
    AND NOT EXISTS (SELECT FROM embedding AS e WHERE e.model_id = m.id AND e.signature_id = s.id)
ORDER BY s.id
LIMIT @page_size;

-- name: SignatureUnanalyzed :many
-- SignatureUnanalyzed returns signatures whose terms are missing or of an older analyzer.
SELECT s.id, s.text
FROM signature AS s
WHERE s.analyzer < @analyzer::smallint
ORDER BY s.analyzer, s.id
LIMIT @page_size::bigint;

-- name: SignatureAnalyze :execrows
-- SignatureAnalyze stores the terms of signatures. terms and counts hold an array as text for each signature.
UPDATE signature AS s
SET terms = a.terms::bigint[], counts = a.counts::smallint[], length = a.length, analyzer = @analyzer::smallint
FROM (
    SELECT
        unnest(@ids::uuid[]) AS id, unnest(@terms::text[]) AS terms, unnest(@counts::text[]) AS counts,
        unnest(@lengths::integer[]) AS length
) AS a
WHERE s.id = a.id AND s.analyzer < @analyzer::smallint;

-- name: SignatureOld :many
-- SignatureOld returns signatures of normalizers older than the given one, after the given position, in the order of normalizer and id,
-- and whether a remediation refers to them.
SELECT s.id, s.normalizer, EXISTS (SELECT FROM remediation_audit AS r WHERE r.signature_id = s.id)::boolean AS used
FROM (
    SELECT o.id, o.normalizer
    FROM signature AS o
    WHERE o.normalizer < @normalizer::smallint AND (o.normalizer, o.id) > (@after_normalizer::smallint, @after_id::uuid)
    ORDER BY o.normalizer, o.id
    LIMIT @page_size::bigint
) AS s
ORDER BY s.normalizer, s.id;

-- name: SignatureAddReplacements :exec
-- SignatureAddReplacements stores signatures that will replace an old one and to which no remediation refers yet. Those with the text of the old
-- one get its vectors of all models. The arrays hold each signature once, its terms and counts as arrays in text. As in every write,
-- vectors precede signatures, each sorted.
WITH input AS MATERIALIZED (
    SELECT
        unnest(@ids::uuid[]) AS id,
        unnest(@incidents::uuid[]) AS incident_id,
        unnest(@texts::text[]) AS text,
        unnest(@terms::text[]) AS terms,
        unnest(@counts::text[]) AS counts,
        unnest(@lengths::integer[]) AS length
),
new_signature AS (
    INSERT INTO signature (id, incident_id, text, normalizer, terms, counts, length, analyzer)
    SELECT i.id, i.incident_id, i.text, @normalizer::smallint, i.terms::bigint[], i.counts::smallint[], i.length, @analyzer::smallint
    FROM input AS i
    ORDER BY i.id
    ON CONFLICT (id) DO NOTHING
)
INSERT INTO embedding (model_id, signature_id, vector)
SELECT e.model_id, i.id, e.vector
FROM input AS i
JOIN signature AS s ON s.id = @old::uuid AND s.text = i.text
CROSS JOIN embedding_model AS m
JOIN embedding AS e ON e.model_id = m.id AND e.signature_id = s.id
ORDER BY e.model_id, i.id
ON CONFLICT (model_id, signature_id) DO NOTHING;

-- name: SignatureSetIncident :exec
-- SignatureSetIncident sets the incident of a signature of an older normalizer.
UPDATE signature
SET incident_id = @incident_id::uuid
WHERE id = @id::uuid AND normalizer < @normalizer::smallint AND incident_id IS DISTINCT FROM @incident_id::uuid;

-- name: SignatureReady :many
-- SignatureReady returns those of the signatures that semantic search will find as soon as a remediation refers to them: the stored ones
-- with a vector of the active model, those in refused, which never get one, and all if no model is active.
SELECT s.id
FROM signature AS s
WHERE s.id = ANY(@ids::uuid[])
    AND (
        s.id = ANY(@refused::uuid[])
        OR NOT EXISTS (SELECT FROM embedding_model AS m WHERE m.active)
        OR EXISTS (
            SELECT FROM embedding_model AS m
            JOIN embedding AS e ON e.model_id = m.id
            WHERE m.active AND e.signature_id = s.id
        )
    );

-- name: SignatureDrop :one
-- SignatureDrop deletes those of the signatures that an older normalizer made and that no remediation refers to, and returns how many.
SELECT signature_drop(@ids::uuid[], @normalizer::smallint)::bigint AS dropped;

-- name: SignatureSample :many
-- SignatureSample returns the start of the texts of signatures of the normalizer, each at most text_length characters. The order is that of the
-- ids, which are hashes, so the first ones are a uniform sample.
SELECT left(s.text, @text_length::integer)::text AS text
FROM signature AS s
WHERE s.normalizer = @normalizer::smallint
ORDER BY s.normalizer, s.id
LIMIT @page_size::bigint;
