-- +goose Up
-- Columns of a few values, where a rare one would otherwise be looked for in the whole table. Without start_time the entries of a value
-- are deduplicated, so these stay small and cheap to write; a common value is found faster along remediation_audit_newest.
CREATE INDEX remediation_audit_severity ON remediation_audit (severity);
CREATE INDEX remediation_audit_environment ON remediation_audit (environment);

-- What is not done yet: always few, and what an operator asks for first. It costs updates of phase and status their heap-only way
-- (docs/decisions/010).
CREATE INDEX remediation_audit_open ON remediation_audit (start_time DESC, id DESC)
    WHERE phase IN ('pending', 'processing') OR status IN ('pending', 'running');

-- +goose Down
DROP INDEX remediation_audit_severity;
DROP INDEX remediation_audit_environment;
DROP INDEX remediation_audit_open;
