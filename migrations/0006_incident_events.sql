-- +goose Up
-- The interface for readers outside the service. Version 1: columns may be added at the end, but not renamed, moved or given another type;
-- any other change becomes a new view.
CREATE VIEW incident_events AS
SELECT
    r.id,
    r.remediation_id,
    r.name AS alert_name,
    r.namespace,
    CASE WHEN lower(split_part(r.target_resource, '/', 1)) IN ('pod', 'pods')
        THEN substr(r.target_resource, strpos(r.target_resource, '/') + 1)
    END AS pod_name,
    r.status AS workflow_status,
    r.workflow_yaml,
    r.error_message,
    r.created_at,
    r.updated_at,
    e.vector::vector AS embedding_vector
FROM remediation_audit AS r
LEFT JOIN embedding_model AS m ON m.active
LEFT JOIN embedding AS e ON e.model_id = m.id AND e.signature_id = r.signature_id;

COMMENT ON VIEW incident_events IS 'version 1';

CREATE INDEX remediation_audit_created ON remediation_audit (created_at DESC, id DESC);

GRANT SELECT ON incident_events TO datastorage_writer, datastorage_reader;

-- +goose Down
DROP VIEW incident_events;
DROP INDEX remediation_audit_created;
