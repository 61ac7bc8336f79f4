-- Returns the kinds of children that a remediation has. Each session plans it once (docs/decisions/006).
CREATE OR REPLACE FUNCTION remediation_child_kinds(remediation_id text) RETURNS text[]
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    kinds text[] := '{}';
BEGIN
    IF EXISTS (SELECT FROM public.ai_analysis_audit AS c WHERE c.remediation_id = remediation_child_kinds.remediation_id) THEN
        kinds := kinds || 'ai_analysis'::text;
    END IF;
    IF EXISTS (SELECT FROM public.workflow_audit AS c WHERE c.remediation_id = remediation_child_kinds.remediation_id) THEN
        kinds := kinds || 'workflow'::text;
    END IF;
    IF EXISTS (SELECT FROM public.execution_audit AS c WHERE c.remediation_id = remediation_child_kinds.remediation_id) THEN
        kinds := kinds || 'execution'::text;
    END IF;
    RETURN kinds;
END
$$;

REVOKE EXECUTE ON FUNCTION remediation_child_kinds FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remediation_child_kinds TO datastorage_writer, datastorage_reader;
