-- Casts a vector to halfvec(dimensions). The planner inlines it to the expression of a model's HNSW index, so a static statement with the
-- number of dimensions as a parameter can use that index (docs/decisions/007).
CREATE OR REPLACE FUNCTION embedding_as(vector halfvec, dimensions integer) RETURNS halfvec
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN halfvec(vector, dimensions, true);
