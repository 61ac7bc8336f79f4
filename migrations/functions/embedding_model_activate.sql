-- Makes a model the active one, which is the model that the service writes and searches with, and returns how many signatures lack its
-- vector. If any do, nothing changes unless forced. An unknown model raises no_data_found.
CREATE OR REPLACE FUNCTION embedding_model_activate(model_name text, force boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    model embedding_model;
    missing bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('embedding_model_register'));
    SELECT * INTO STRICT model FROM embedding_model WHERE name = model_name;
    -- A signature has at most one vector of a model, and every vector has its signature.
    SELECT (SELECT count(*) FROM signature) - count(*) INTO missing FROM embedding WHERE model_id = model.id;
    IF missing = 0 OR force THEN
        UPDATE embedding_model SET active = false WHERE active AND id <> model.id;
        UPDATE embedding_model SET active = true WHERE NOT active AND id = model.id;
    END IF;
    RETURN missing;
END
$$;

REVOKE EXECUTE ON FUNCTION embedding_model_activate FROM PUBLIC;
