-- name: SignatureStored :many
-- SignatureStored answers which of the signatures have a vector of the model already.
SELECT e.signature_id
FROM embedding AS e
JOIN embedding_model AS m ON m.id = e.model_id
WHERE m.name = @model::text AND e.signature_id = ANY(@signature_ids::uuid[]);

-- name: SignaturePending :many
-- SignaturePending answers signatures without a vector of the model, in the order of their ids, after the given id. The gap is
-- the queue: nothing is locked, and two readers may get the same rows. A model that is not registered lacks nothing, nor do signatures of
-- normalizers older than the given one, whose remediations are signed anew.
SELECT s.id, s.text
FROM signature AS s
JOIN embedding_model AS m ON m.name = @model::text
WHERE s.id > @after::uuid
    AND s.normalizer >= @normalizer::smallint
    AND NOT EXISTS (SELECT FROM embedding AS e WHERE e.model_id = m.id AND e.signature_id = s.id)
ORDER BY s.id
LIMIT @page_size;

-- name: EmbeddingInsert :execrows
-- EmbeddingInsert adds vectors of signatures that have none. vectors holds the vectors one after the other, each as long as the
-- model has dimensions, in the order of signature_ids. Sorted by id, so that two writers cannot wait for each other crosswise. Signatures
-- that are gone are left out.
INSERT INTO embedding (model_id, signature_id, vector)
SELECT v.model_id, v.signature_id, v.vector
FROM (
    SELECT
        m.id AS model_id,
        (@signature_ids::uuid[])[n.i] AS signature_id,
        (@vectors::real[])[(n.i - 1) * m.dimensions + 1 : n.i * m.dimensions]::halfvec AS vector
    FROM embedding_model AS m
    CROSS JOIN (SELECT generate_subscripts(@signature_ids::uuid[], 1) AS i) AS n
    WHERE m.name = @model::text
) AS v
WHERE EXISTS (SELECT FROM signature AS s WHERE s.id = v.signature_id)
ORDER BY v.signature_id
ON CONFLICT (model_id, signature_id) DO NOTHING;

-- name: EmbeddingGet :one
-- EmbeddingGet reads the vector of a signature.
SELECT (e.vector::vector)::real[] AS vector
FROM embedding AS e
WHERE e.model_id = @model_id::smallint AND e.signature_id = @signature_id::uuid;

-- name: SignatureOld :many
-- SignatureOld answers signatures of normalizers older than the given one, after the given position, in the order of normalizer and id, and
-- whether a remediation has them.
SELECT s.id, s.normalizer, EXISTS (SELECT FROM remediation_audit AS r WHERE r.signature_id = s.id)::boolean AS used
FROM (
    SELECT o.id, o.normalizer
    FROM signature AS o
    WHERE o.normalizer < @normalizer::smallint AND (o.normalizer, o.id) > (@after_normalizer::smallint, @after_id::uuid)
    ORDER BY o.normalizer, o.id
    LIMIT @page_size::bigint
) AS s
ORDER BY s.normalizer, s.id;

-- name: SignatureBeside :exec
-- SignatureBeside stores signatures that no remediation has yet beside the one that they are to take the place of. Those of the same text
-- get its vectors, of all models. The arrays hold each signature once, its terms and counts as arrays in text. As in every write, vectors go
-- in before signatures, each sorted.
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
-- SignatureSetIncident says which incident a signature of an older normalizer belongs to.
UPDATE signature
SET incident_id = @incident_id::uuid
WHERE id = @id::uuid AND normalizer < @normalizer::smallint AND incident_id IS DISTINCT FROM @incident_id::uuid;

-- name: SignatureReady :many
-- SignatureReady answers which of the signatures are stored and found by meaning as soon as a remediation has them: those with a vector of
-- the active model, those that refused names, and all of them if no model is active.
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
-- SignatureDrop removes those of the signatures that an older normalizer made and that no remediation has, and answers how many.
SELECT signature_drop(@ids::uuid[], @normalizer::smallint)::bigint AS dropped;
