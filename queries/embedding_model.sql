-- name: EmbeddingModelByName :one
-- EmbeddingModelByName reads a registered model.
SELECT id, name, dimensions, active FROM embedding_model WHERE name = @name;
