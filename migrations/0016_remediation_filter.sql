-- +goose Up
-- The filter of lists, searches and statistics: one attribute for each parameter of the API, NULL where it is not given. A new parameter is
-- a new attribute (ALTER TYPE remediation_filter ADD ATTRIBUTE ...) and a line in functions/remediation_matches.sql (docs/decisions/022).
CREATE TYPE remediation_filter AS (
    id bigint[],
    remediation_id text[],
    name text[],
    namespace text[],
    phase text[],
    status text[],
    severity text[],
    environment text[],
    cluster_name text[],
    action_type text[],
    alert_fingerprint text[],
    target_resource text[],
    signature_id uuid[],
    -- since <= start_time < until
    since timestamptz,
    until timestamptz
);

-- +goose Down
DROP TYPE remediation_filter CASCADE;
