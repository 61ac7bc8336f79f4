-- The version of the schema, for the readiness check. The table belongs to the migration runner.
CREATE OR REPLACE FUNCTION schema_applied() RETURNS bigint
LANGUAGE sql STABLE AS 'SELECT max(version_id) FROM schema_version WHERE is_applied';
