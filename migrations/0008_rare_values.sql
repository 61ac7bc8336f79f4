-- +goose Up
-- Columns with few values: to find a rare value would otherwise take a scan of the table. Without start_time, equal entries are deduplicated,
-- so the indexes stay small and cheap to write; a common value is found faster by remediation_audit_newest.
CREATE INDEX remediation_audit_severity ON remediation_audit (severity);
CREATE INDEX remediation_audit_environment ON remediation_audit (environment);

-- The remediations in progress: always few, and what operators query first. Because of it, updates of phase and status are not heap-only
-- (docs/decisions/010).
CREATE INDEX remediation_audit_open ON remediation_audit (start_time DESC, id DESC)
    WHERE phase IN ('pending', 'processing') OR status IN ('pending', 'running');

-- +goose Down
DROP INDEX remediation_audit_severity;
DROP INDEX remediation_audit_environment;
DROP INDEX remediation_audit_open;
