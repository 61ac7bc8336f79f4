-- The rules of a row of remediation_audit. They are one CHECK constraint, because PostgreSQL parses and prepares the expression of each
-- constraint at each statement, and twenty of them were a quarter of the time of remediation_append_known (docs/decisions/006). As in a
-- CHECK, a comparison with NULL holds. The error names the column.
CREATE OR REPLACE FUNCTION remediation_valid(
    id bigint, remediation_id text, name text, namespace text, cluster_name text, environment text, severity text, alert_fingerprint text,
    action_type text, target_resource text, phase text, status text, start_time timestamptz, end_time timestamptz, duration_ms bigint,
    error_message text, workflow_yaml text, metadata json, actor text, created_at timestamptz, updated_at timestamptz
) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    wrong text := CASE
        WHEN id <= 0 THEN 'id'
        WHEN char_length(remediation_id) NOT BETWEEN 1 AND 255 THEN 'remediation_id'
        WHEN char_length(name) NOT BETWEEN 1 AND 255 THEN 'name'
        WHEN char_length(namespace) NOT BETWEEN 1 AND 255 THEN 'namespace'
        WHEN char_length(cluster_name) NOT BETWEEN 1 AND 255 THEN 'cluster_name'
        WHEN environment NOT IN ('production', 'staging', 'development', 'test') THEN 'environment'
        WHEN severity NOT IN ('critical', 'high', 'medium', 'low', 'info', 'unknown') THEN 'severity'
        WHEN char_length(alert_fingerprint) NOT BETWEEN 1 AND 255 THEN 'alert_fingerprint'
        WHEN char_length(action_type) NOT BETWEEN 1 AND 100 THEN 'action_type'
        WHEN char_length(target_resource) NOT BETWEEN 1 AND 512 THEN 'target_resource'
        WHEN phase NOT IN ('pending', 'processing', 'completed', 'failed') THEN 'phase'
        WHEN status NOT IN ('pending', 'running', 'success', 'failure') THEN 'status'
        WHEN end_time < start_time THEN 'end_time'
        WHEN duration_ms < 0 THEN 'duration_ms'
        WHEN end_time IS NOT NULL AND duration_ms IS DISTINCT FROM floor(extract(epoch FROM end_time - start_time) * 1000) THEN 'duration_ms'
        WHEN octet_length(error_message) > 65536 THEN 'error_message'
        WHEN octet_length(workflow_yaml) > 262144 THEN 'workflow_yaml'
        WHEN json_typeof(metadata) <> 'object' OR octet_length(metadata::text) > 65536 THEN 'metadata'
        WHEN actor = '' THEN 'actor'
        WHEN updated_at < created_at THEN 'updated_at'
    END;
BEGIN
    IF wrong IS NOT NULL THEN
        RAISE check_violation USING MESSAGE = format('column %I of remediation_audit breaks a rule of remediation_valid', wrong),
            TABLE = 'remediation_audit', COLUMN = wrong, CONSTRAINT = format('remediation_audit_%s_check', wrong);
    END IF;
    RETURN true;
END
$$;

REVOKE EXECUTE ON FUNCTION remediation_valid FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remediation_valid TO datastorage_writer;
