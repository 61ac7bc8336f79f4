-- Returns the dimensions of the statistics, each with a remediation's value in it, empty if it has none. Without a remediation it lists
-- the dimensions. stats_key is the same for one dimension.
CREATE OR REPLACE FUNCTION stats_keys(r remediation_audit) RETURNS TABLE (dimension text, key text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT k.dimension, coalesce(k.key, '')
    FROM (
        VALUES
            ('all', NULL), ('name', r.name), ('action_type', r.action_type), ('namespace', r.namespace), ('severity', r.severity),
            ('cluster_name', r.cluster_name), ('environment', r.environment)
    ) AS k (dimension, key);
END;
