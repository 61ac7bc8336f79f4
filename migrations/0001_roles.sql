-- +goose Up
-- Two roles for the service; the third, datastorage_admin, is the one that runs this file and owns what it makes.
-- Roles belong to the whole server, so another database may have made them already, or be making them now.
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
