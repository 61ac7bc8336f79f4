INSERT INTO audit_event (event_id, recorded_at, kind, remediation_id, actor, canonical, content_hash, embedding)
SELECT
    i.event_id,
    r.created_at,
    'remediation',
    r.remediation_id,
    r.actor,
    i.canonical,
    i.content_hash,
    CASE
        WHEN r.signature_id IN (
            SELECT e.signature_id
            FROM embedding AS e
            JOIN embedding_model AS m ON m.id = e.model_id
            WHERE m.name = $5::text AND e.signature_id = ANY($6::uuid[])
        ) THEN 'stored'
        ELSE 'pending'
    END
FROM (
    SELECT
        unnest($1::uuid[]) AS event_id,
        unnest($2::text[]) AS remediation_id,
        unnest($3::bytea[]) AS canonical,
        unnest($4::bytea[]) AS content_hash
) AS i
JOIN remediation_audit AS r ON r.remediation_id = i.remediation_id AND r.event_id = i.event_id
RETURNING event_id, recorded_at, leaf_hash, content_hash, embedding
