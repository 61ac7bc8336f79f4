-- +goose Up
-- The words of the names of targets, namespaces and clusters of a signature's remediations, by which lexical search finds
-- it (docs/decisions/027). outcome_merge adds them; signatures from before get theirs when they are renormalized.
CREATE TABLE signature_location (
    word text COLLATE "C" NOT NULL,
    signature_id uuid NOT NULL,
    PRIMARY KEY (word, signature_id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE INDEX signature_location_signature ON signature_location (signature_id);

-- Its present body is in functions/.
-- +goose StatementBegin
CREATE FUNCTION signature_located() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
-- +goose StatementEnd

CREATE TRIGGER signature_located AFTER DELETE ON outcome_change
    REFERENCING OLD TABLE AS merged FOR EACH STATEMENT EXECUTE FUNCTION signature_located();

GRANT SELECT ON signature_location TO datastorage_writer, datastorage_reader;

-- +goose Down
-- The build before this one applies its functions again.
DELETE FROM schema_function;
DROP TRIGGER signature_located ON outcome_change;
DROP TABLE signature_location;
DROP FUNCTION signature_located;
