-- +goose Up
-- The two roles of the service. The third, datastorage_admin, runs this file and owns what it creates.
-- Roles belong to the whole server: the migration of another database may have created them, or may be creating them now.
-- +goose StatementBegin
DO $$
DECLARE
    service_role text;
BEGIN
    FOREACH service_role IN ARRAY ARRAY['datastorage_writer', 'datastorage_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service_role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN', service_role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;
-- +goose StatementEnd

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO datastorage_writer, datastorage_reader;

CREATE EXTENSION IF NOT EXISTS vector;

-- +goose Down
DROP EXTENSION vector;
