-- name: EmbeddingModelList :many
-- EmbeddingModelList returns the registered models, the active one first.
SELECT * FROM embedding_model ORDER BY active DESC, id;

-- name: EmbeddingModelProgress :many
-- EmbeddingModelProgress returns the registered models like EmbeddingModelList, with the number of signatures and how many of them have a
-- vector of the model.
SELECT
    m.name, m.dimensions, m.active,
    (SELECT count(*) FROM embedding AS e WHERE e.model_id = m.id) AS vectors,
    (SELECT count(*) FROM signature) AS signatures
FROM embedding_model AS m
ORDER BY m.active DESC, m.id;
