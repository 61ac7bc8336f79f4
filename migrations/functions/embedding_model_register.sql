-- Registers a model: its row, its partition, its HNSW index. The first model becomes the active one. Registering a known model again
-- changes nothing; another number of dimensions under a known name is an error.
--
-- ef_construction decides how well the index finds near vectors (docs/decisions/007 has the measurements). The comment of
-- embedding_model_drop gives the reason for lock_timeout.
CREATE OR REPLACE FUNCTION embedding_model_register(model_name text, model_dimensions integer) RETURNS smallint
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    model embedding_model;
    part text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('embedding_model_register'));
    SELECT * INTO model FROM embedding_model WHERE name = model_name;
    IF FOUND THEN
        IF model.dimensions <> model_dimensions THEN
            RAISE EXCEPTION 'embedding model % has % dimensions, not %', model_name, model.dimensions, model_dimensions
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN model.id;
    END IF;
    INSERT INTO embedding_model (name, dimensions, active)
    VALUES (model_name, model_dimensions, NOT EXISTS (SELECT FROM embedding_model WHERE active))
    RETURNING * INTO model;
    part := 'embedding_' || model.id;
    EXECUTE format('CREATE TABLE %I PARTITION OF embedding FOR VALUES IN (%s)', part, model.id);
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (vector_dims(vector) = %s)',
        part, part || '_dimensions', model.dimensions);
    EXECUTE format('CREATE INDEX %I ON %I USING hnsw ((vector::halfvec(%s)) halfvec_cosine_ops) WITH (ef_construction = 200)',
        part || '_hnsw', part, model.dimensions);
    RETURN model.id;
END
$$;

REVOKE EXECUTE ON FUNCTION embedding_model_register FROM PUBLIC;
