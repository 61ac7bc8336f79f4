-- name: CursorKey :one
-- CursorKey returns the key that signs page cursors.
SELECT key FROM cursor_key WHERE id = 1;

-- name: Version :one
-- Version returns the server's version number (160004 is 16.4), the version of pgvector (empty if it is not installed), and the version of
-- the schema. A schema from before version 7 fails with SQLSTATE 42883 (undefined function).
SELECT
    current_setting('server_version_num')::integer AS server,
    coalesce((SELECT x.extversion FROM pg_catalog.pg_extension AS x WHERE x.extname = 'vector'), '')::text AS pgvector,
    schema_applied() AS schema_version;
