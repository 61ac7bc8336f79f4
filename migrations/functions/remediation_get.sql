-- Returns the remediation with the id, if there is one. Each session plans it once (docs/decisions/006).
CREATE OR REPLACE FUNCTION remediation_get(remediation_id text) RETURNS SETOF remediation_audit
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY SELECT r.* FROM public.remediation_audit AS r WHERE r.remediation_id = remediation_get.remediation_id;
END
$$;

REVOKE EXECUTE ON FUNCTION remediation_get FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remediation_get TO datastorage_writer, datastorage_reader;
