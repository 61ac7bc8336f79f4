-- +goose Up
-- The present bodies of the functions below are in functions/.

-- The key that signs page cursors. Every function of the service reads it, so it needs no configuration, and a caller cannot forge a cursor.
-- gen_random_uuid uses the server's strong random source.
CREATE TABLE cursor_key (
    id smallint PRIMARY KEY CHECK (id = 1),
    key bytea NOT NULL CHECK (octet_length(key) = 32)
);

INSERT INTO cursor_key (id, key)
VALUES (1, sha256((gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text)::bytea));

GRANT SELECT ON cursor_key TO datastorage_writer, datastorage_reader;

-- The schema's version, for the readiness check. The table belongs to the migration runner.
CREATE FUNCTION schema_applied() RETURNS bigint
LANGUAGE sql STABLE AS 'SELECT max(version_id) FROM schema_version WHERE is_applied';

GRANT SELECT ON schema_version TO datastorage_writer, datastorage_reader;

-- The longest that a statement of the service may hold a connection of the proxy. A concurrent migration of another database of the server
-- sets the same; one of the two fails with "tuple concurrently updated" or a duplicate row.
-- +goose StatementBegin
DO $$
DECLARE
    service_role text;
BEGIN
    FOREACH service_role IN ARRAY ARRAY['datastorage_writer', 'datastorage_reader'] LOOP
        BEGIN
            EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', service_role, '15s');
        EXCEPTION WHEN internal_error OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE cursor_key;
DROP FUNCTION schema_applied;
