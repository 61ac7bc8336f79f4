-- name: CursorKey :one
-- CursorKey reads the key that signs page cursors.
SELECT key FROM cursor_key WHERE id = 1;

-- name: Version :one
-- Version answers the server's version number (160004 is 16.4), the version of pgvector (empty when it is not installed), and the
-- version of the schema. A schema too old to tell has no such function (SQLSTATE 42883).
SELECT
    current_setting('server_version_num')::integer AS server,
    coalesce((SELECT x.extversion FROM pg_catalog.pg_extension AS x WHERE x.extname = 'vector'), '')::text AS pgvector,
    schema_applied() AS schema_version;
