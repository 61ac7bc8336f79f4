-- +goose Up
-- The incident is what was wrong; a signature adds what was done about it. Search returns the signatures of an incident together, with every
-- action that was tried. NULL means an incident of its own: signatures of normalizer 1 have none until their records are renormalized.
ALTER TABLE signature ADD COLUMN incident_id uuid;

CREATE INDEX signature_incident ON signature (incident_id);

-- +goose Down
ALTER TABLE signature DROP COLUMN incident_id;
