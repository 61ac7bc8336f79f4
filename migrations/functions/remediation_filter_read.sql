-- Reads a filter from JSON: an object with the attributes that are given. An unknown key is an error, because ignoring it would
-- return records that the caller excluded.
--
-- IMMUTABLE, so that the planner computes the filter once and sees its values: a timestamp must state its offset from UTC.
CREATE OR REPLACE FUNCTION remediation_filter_read(fields jsonb) RETURNS remediation_filter
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    filter remediation_filter := jsonb_populate_record(NULL::remediation_filter, fields);
BEGIN
    -- Of a key that both sides have, || takes the right value, so only unknown keys change the result.
    IF (fields || to_jsonb(filter) = to_jsonb(filter)) IS NOT TRUE THEN
        RAISE EXCEPTION 'the filter % has a field that the schema lacks', fields
            USING ERRCODE = 'undefined_parameter', HINT = 'Run the migrations.';
    END IF;
    RETURN filter;
END
$$;
