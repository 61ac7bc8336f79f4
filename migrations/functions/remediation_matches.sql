-- Reports whether a remediation matches a filter: every attribute that is given must match, by any of its values.
--
-- Where the filter is known at planning, as in every execution of an unnamed statement, the planner inlines it and drops the attributes
-- that are NULL. The plan is then that of the remaining conditions (docs/decisions/022).
CREATE OR REPLACE FUNCTION remediation_matches(r remediation_audit, f remediation_filter) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (f.id IS NULL OR r.id = ANY(f.id))
    AND (f.remediation_id IS NULL OR r.remediation_id = ANY(f.remediation_id))
    AND (f.name IS NULL OR r.name = ANY(f.name))
    AND (f.namespace IS NULL OR r.namespace = ANY(f.namespace))
    AND (f.phase IS NULL OR r.phase = ANY(f.phase))
    AND (f.status IS NULL OR r.status = ANY(f.status))
    AND (f.severity IS NULL OR r.severity = ANY(f.severity))
    AND (f.environment IS NULL OR r.environment = ANY(f.environment))
    AND (f.cluster_name IS NULL OR r.cluster_name = ANY(f.cluster_name))
    AND (f.action_type IS NULL OR r.action_type = ANY(f.action_type))
    AND (f.alert_fingerprint IS NULL OR r.alert_fingerprint = ANY(f.alert_fingerprint))
    AND (f.target_resource IS NULL OR r.target_resource = ANY(f.target_resource))
    AND (f.signature_id IS NULL OR r.signature_id = ANY(f.signature_id))
    AND (f.since IS NULL OR r.start_time >= f.since)
    AND (f.until IS NULL OR r.start_time < f.until);
