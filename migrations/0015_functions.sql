-- +goose Up
-- The files of functions/ that were applied, with their checksums. The table belongs to the migration runner.
CREATE TABLE schema_function (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE schema_function;
