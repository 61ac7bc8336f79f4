-- +goose Up
-- The present bodies of the functions below are in functions/.

-- Creating and dropping a partition locks tables that every write and search uses.
ALTER FUNCTION embedding_model_register(text, integer) SET lock_timeout = '100ms';

-- Makes a model the active one.
-- +goose StatementBegin
CREATE FUNCTION embedding_model_activate(model_name text, force boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    model embedding_model;
    missing bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('embedding_model_register'));
    SELECT * INTO STRICT model FROM embedding_model WHERE name = model_name;
    -- A signature has one vector of a model at most, and no vector is without its signature.
    SELECT (SELECT count(*) FROM signature) - count(*) INTO missing FROM embedding WHERE model_id = model.id;
    IF missing = 0 OR force THEN
        UPDATE embedding_model SET active = false WHERE active AND id <> model.id;
        UPDATE embedding_model SET active = true WHERE NOT active AND id = model.id;
    END IF;
    RETURN missing;
END
$$;
-- +goose StatementEnd

-- Drops a model with its index and its vectors.
-- +goose StatementBegin
CREATE FUNCTION embedding_model_drop(model_name text) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    model embedding_model;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('embedding_model_register'));
    SELECT * INTO STRICT model FROM embedding_model WHERE name = model_name;
    IF model.active THEN
        RAISE EXCEPTION 'embedding model % is the active one', model_name USING ERRCODE = 'object_in_use';
    END IF;
    -- All that dropping the partition locks, in the order in which writers lock it: what is under way ends before, and what comes
    -- after sees neither the model nor its partition.
    LOCK TABLE signature, embedding_model, embedding IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('DROP TABLE %I', 'embedding_' || model.id);
    DELETE FROM embedding_model WHERE id = model.id;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION embedding_model_activate, embedding_model_drop FROM PUBLIC;

-- +goose Down
DROP FUNCTION embedding_model_activate, embedding_model_drop;
ALTER FUNCTION embedding_model_register(text, integer) RESET lock_timeout;
