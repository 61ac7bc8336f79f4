-- +goose Up
-- A signature tells apart what was done about an incident; the incident itself is what was wrong, whatever was done. Search gathers the
-- signatures of an incident in one answer, with every action that was tried. NULL stands for an incident of its own: signatures of
-- normalizer 1 do not say until their records are signed anew.
ALTER TABLE signature ADD COLUMN incident_id uuid;

CREATE INDEX signature_incident ON signature (incident_id);

-- +goose Down
ALTER TABLE signature DROP COLUMN incident_id;
