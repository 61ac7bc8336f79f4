-- name: SignatureStored :many
-- SignatureStored answers which of the signatures have a vector of the model already.
SELECT e.signature_id
FROM embedding AS e
JOIN embedding_model AS m ON m.id = e.model_id
WHERE m.name = @model::text AND e.signature_id = ANY(@signature_ids::uuid[]);

-- name: SignaturePending :many
-- SignaturePending answers signatures without a vector of the model, in the order of their ids, after the given id. The gap is
-- the queue: nothing is locked, and two readers may get the same rows. A model that is not registered lacks nothing.
SELECT s.id, s.text
FROM signature AS s
JOIN embedding_model AS m ON m.name = @model::text
WHERE s.id > @after::uuid
    AND NOT EXISTS (SELECT FROM embedding AS e WHERE e.model_id = m.id AND e.signature_id = s.id)
ORDER BY s.id
LIMIT @page_size;

-- name: EmbeddingInsert :execrows
-- EmbeddingInsert adds vectors of signatures that have none. vectors holds the vectors one after the other, each as long as the
-- model has dimensions, in the order of signature_ids. Sorted by id, so that two writers cannot wait for each other crosswise.
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
ORDER BY v.signature_id
ON CONFLICT (model_id, signature_id) DO NOTHING;

-- name: EmbeddingGet :one
-- EmbeddingGet reads the vector of a signature.
SELECT (e.vector::vector)::real[] AS vector
FROM embedding AS e
WHERE e.model_id = @model_id::smallint AND e.signature_id = @signature_id::uuid;
