-- name: EmbeddingInsert :execrows
-- EmbeddingInsert adds vectors to signatures that have none, and skips signatures that do not exist. vectors holds the vectors one after
-- the other, each as long as the model has dimensions, in the order of signature_ids.
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
ORDER BY
    -- Every writer locks in this order, so two of them cannot deadlock.
    v.signature_id
ON CONFLICT (model_id, signature_id) DO NOTHING;

-- name: EmbeddingGet :one
-- EmbeddingGet returns the vector of a signature.
SELECT (e.vector::vector)::real[] AS vector
FROM embedding AS e
WHERE e.model_id = @model_id::smallint AND e.signature_id = @signature_id::uuid;
