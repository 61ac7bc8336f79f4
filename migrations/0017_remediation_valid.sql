-- +goose Up
-- The rules of remediation_audit as one function (functions/remediation_valid.sql). NOT VALID spares the scan of a large table under a lock: the
-- stored rows satisfy the same rules.
-- +goose StatementBegin
CREATE FUNCTION remediation_valid(
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
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION remediation_valid FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remediation_valid TO datastorage_writer;

ALTER TABLE remediation_audit
    DROP CONSTRAINT remediation_audit_action_type_check,
    DROP CONSTRAINT remediation_audit_actor_check,
    DROP CONSTRAINT remediation_audit_alert_fingerprint_check,
    DROP CONSTRAINT remediation_audit_check,
    DROP CONSTRAINT remediation_audit_check1,
    DROP CONSTRAINT remediation_audit_cluster_name_check,
    DROP CONSTRAINT remediation_audit_duration,
    DROP CONSTRAINT remediation_audit_duration_ms_check,
    DROP CONSTRAINT remediation_audit_environment_check,
    DROP CONSTRAINT remediation_audit_error_message_check,
    DROP CONSTRAINT remediation_audit_id_check,
    DROP CONSTRAINT remediation_audit_metadata_check,
    DROP CONSTRAINT remediation_audit_name_check,
    DROP CONSTRAINT remediation_audit_namespace_check,
    DROP CONSTRAINT remediation_audit_phase_check,
    DROP CONSTRAINT remediation_audit_remediation_id_check,
    DROP CONSTRAINT remediation_audit_severity_check,
    DROP CONSTRAINT remediation_audit_status_check,
    DROP CONSTRAINT remediation_audit_target_resource_check,
    DROP CONSTRAINT remediation_audit_workflow_yaml_check,
    ADD CONSTRAINT remediation_audit_valid CHECK (remediation_valid(id, remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint,
        action_type, target_resource, phase, status, start_time, end_time, duration_ms,
        error_message, workflow_yaml, metadata, actor, created_at, updated_at)) NOT VALID;

-- +goose Down
ALTER TABLE remediation_audit
    DROP CONSTRAINT remediation_audit_valid,
    ADD CONSTRAINT remediation_audit_action_type_check CHECK (((char_length(action_type) >= 1) AND (char_length(action_type) <= 100))),
    ADD CONSTRAINT remediation_audit_actor_check CHECK ((actor <> ''::text)),
    ADD CONSTRAINT remediation_audit_alert_fingerprint_check CHECK (((char_length(alert_fingerprint) >= 1) AND (char_length(alert_fingerprint) <= 255))),
    ADD CONSTRAINT remediation_audit_check CHECK ((end_time >= start_time)),
    ADD CONSTRAINT remediation_audit_check1 CHECK ((updated_at >= created_at)),
    ADD CONSTRAINT remediation_audit_cluster_name_check CHECK (((char_length(cluster_name) >= 1) AND (char_length(cluster_name) <= 255))),
    ADD CONSTRAINT remediation_audit_duration CHECK (((end_time IS NULL) OR ((duration_ms IS NOT NULL) AND ((duration_ms)::numeric = floor((EXTRACT(epoch FROM (end_time - start_time)) * (1000)::numeric)))))),
    ADD CONSTRAINT remediation_audit_duration_ms_check CHECK ((duration_ms >= 0)),
    ADD CONSTRAINT remediation_audit_environment_check CHECK ((environment = ANY (ARRAY['production'::text, 'staging'::text, 'development'::text, 'test'::text]))),
    ADD CONSTRAINT remediation_audit_error_message_check CHECK ((octet_length(error_message) <= 65536)),
    ADD CONSTRAINT remediation_audit_id_check CHECK ((id > 0)),
    ADD CONSTRAINT remediation_audit_metadata_check CHECK (((json_typeof(metadata) = 'object'::text) AND (octet_length((metadata)::text) <= 65536))),
    ADD CONSTRAINT remediation_audit_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
    ADD CONSTRAINT remediation_audit_namespace_check CHECK (((char_length(namespace) >= 1) AND (char_length(namespace) <= 255))),
    ADD CONSTRAINT remediation_audit_phase_check CHECK ((phase = ANY (ARRAY['pending'::text, 'processing'::text, 'completed'::text, 'failed'::text]))),
    ADD CONSTRAINT remediation_audit_remediation_id_check CHECK (((char_length(remediation_id) >= 1) AND (char_length(remediation_id) <= 255))),
    ADD CONSTRAINT remediation_audit_severity_check CHECK ((severity = ANY (ARRAY['critical'::text, 'high'::text, 'medium'::text, 'low'::text, 'info'::text, 'unknown'::text]))),
    ADD CONSTRAINT remediation_audit_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'success'::text, 'failure'::text]))),
    ADD CONSTRAINT remediation_audit_target_resource_check CHECK (((char_length(target_resource) >= 1) AND (char_length(target_resource) <= 512))),
    ADD CONSTRAINT remediation_audit_workflow_yaml_check CHECK ((octet_length(workflow_yaml) <= 262144));

DROP FUNCTION remediation_valid;
