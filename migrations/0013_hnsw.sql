-- +goose Up
-- The present bodies of the functions below are in functions/.

-- How well an HNSW index finds near vectors depends on ef_construction at the time a vector is inserted. With pgvector's default, 64, a search
-- with ef_search 100 missed one in ten of the nearest under a filter that a tenth of the rows match, and a larger ef_search did not find
-- them. With 200 it misses one in a hundred at the same search speed (docs/decisions/007); inserts are slower.
-- +goose StatementBegin
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
-- +goose StatementEnd

-- The existing indexes. Writers wait while one is rebuilt.
-- +goose StatementBegin
DO $$
DECLARE
    of_model smallint;
BEGIN
    FOR of_model IN SELECT id FROM embedding_model ORDER BY id LOOP
        EXECUTE format('ALTER INDEX %I SET (ef_construction = 200)', 'embedding_' || of_model || '_hnsw');
        EXECUTE format('REINDEX INDEX %I', 'embedding_' || of_model || '_hnsw');
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
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
    EXECUTE format('CREATE INDEX %I ON %I USING hnsw ((vector::halfvec(%s)) halfvec_cosine_ops)',
        part || '_hnsw', part, model.dimensions);
    RETURN model.id;
END
$$;
-- +goose StatementEnd
