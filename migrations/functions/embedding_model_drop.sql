-- Drops a model with its index and its vectors. The active model raises object_in_use, an unknown one no_data_found.
--
-- It locks tables that every write and search uses, and gives up after 100 ms (lock_not_available), because later statements wait behind
-- it. That is far below deadlock_timeout, so PostgreSQL never chooses a writer as the victim of a deadlock with it.
CREATE OR REPLACE FUNCTION embedding_model_drop(model_name text) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    model embedding_model;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('embedding_model_register'));
    SELECT * INTO STRICT model FROM embedding_model WHERE name = model_name;
    IF model.active THEN
        RAISE EXCEPTION 'embedding model % is the active one', model_name USING ERRCODE = 'object_in_use';
    END IF;
    -- Every table that dropping the partition locks, in the order in which writers lock them: running statements end first, and later
    -- ones see neither the model nor its partition.
    LOCK TABLE signature, embedding_model, embedding IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('DROP TABLE %I', 'embedding_' || model.id);
    DELETE FROM embedding_model WHERE id = model.id;
END
$$;

REVOKE EXECUTE ON FUNCTION embedding_model_drop FROM PUBLIC;
