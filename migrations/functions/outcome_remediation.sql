-- Makes a remediation of what outcomes are counted by, for remediation_matches and stats_key. The planner inlines it, and then the function
-- that it is passed to.
CREATE OR REPLACE FUNCTION outcome_remediation(
    signature_id uuid, start_time timestamptz, name text, namespace text, cluster_name text, environment text, severity text,
    alert_fingerprint text, action_type text, target_resource text, phase text, status text
) RETURNS remediation_audit
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(
    NULL, NULL, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource, phase, status,
    start_time, NULL, NULL, NULL, NULL, NULL, signature_id, NULL, NULL, NULL, NULL
)::remediation_audit;
