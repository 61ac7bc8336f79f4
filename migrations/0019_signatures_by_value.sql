-- +goose Up
-- remediation_signatures steps from one signature of a target or of an alert to the next along these. Without start_time, the entries of an
-- incident that recurs are equal and are deduplicated (docs/decisions/023).
CREATE INDEX remediation_audit_target_signature ON remediation_audit (target_resource, signature_id);
CREATE INDEX remediation_audit_fingerprint_signature ON remediation_audit (alert_fingerprint, signature_id);

-- +goose Down
DROP FUNCTION IF EXISTS remediation_signatures;
DROP INDEX remediation_audit_target_signature;
DROP INDEX remediation_audit_fingerprint_signature;
