-- Remediations as the service stores them, about 350 bytes each, numbers $1 to $2: $4 apart in threes, so that there are ties in
-- time; the signatures recur in turn. Of a hundred namespaces shop-0 has a fifth of all remediations, rare has one in 2,000. The clusters
-- named one-in-n, that and those of larger n together, have one in n. The name is the signature's alert: of the
-- alerts $5, $6 has the number for each signature in $3 (the elements of an array of texts have to be counted off).
INSERT INTO remediation_audit (
    remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource, phase, status,
    start_time, end_time, duration_ms, error_message, metadata, signature_id, actor, event_id, created_at, updated_at
)
SELECT
    'fill-' || i,
    ($5::text[])[($6::integer[])[1 + i % cardinality($3::uuid[])]],
    CASE WHEN i % 2000 = 7 THEN 'rare' WHEN i % 5 = 0 THEN 'shop-0' ELSE 'shop-' || i % 97 + 1 END,
    CASE
        WHEN i % 10 <> 3 THEN 'cluster-' || i % 5
        WHEN i % 10000 = 3 THEN 'one-in-10000'
        WHEN i % 1000 = 3 THEN 'one-in-1000'
        WHEN i % 100 = 3 THEN 'one-in-100'
        WHEN i % 50 = 3 THEN 'one-in-50'
        ELSE 'one-in-10'
    END,
    (ARRAY['production', 'staging', 'development', 'test'])[1 + i % 4],
    'high',
    lpad(to_hex(i % 5000), 16, '0'),
    'action_' || i % 12,
    'deployment/service-' || i % 3000,
    'completed',
    CASE WHEN i % 10 = 0 THEN 'failure' ELSE 'success' END,
    t.at, t.at + interval '30 seconds', 30000,
    'deadline exceeded while service-' || i % 3000 || ' was talking to its database, back-off 5m0s',
    '{"attempt":1}',
    ($3::uuid[])[1 + i % cardinality($3::uuid[])],
    'bench', gen_random_uuid(), t.at, t.at
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL (SELECT timestamptz '2015-01-01 00:00:00Z' + i / 3 * $4::interval AS at) AS t
