-- Adds the changes to the counts, and returns how many counts were found to be wrong.
--
-- The changes are deleted and added by one statement, and therefore of one snapshot. In the same snapshot it counts from the records what is
-- to be counted again: a day of the statistics, a signature, and the signatures that have become frequent, unless they have more than
-- `largest` remediations. For these it adds the difference between the records and the counts in place of the changes; a difference that
-- the changes do not explain is a wrong count.
--
-- There is one merge at a time. Without something to count again, a call does not wait for another. In a transaction with a snapshot of its
-- own it does nothing: the changes could have been merged after that snapshot.
CREATE OR REPLACE FUNCTION outcome_merge(recounted_day date, recounted_signature uuid, largest bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    frequent CONSTANT bigint := 200;
    most_facets CONSTANT bigint := 1000;
    since timestamptz := recounted_day::timestamp AT TIME ZONE 'UTC';
    until timestamptz := (recounted_day + 1)::timestamp AT TIME ZONE 'UTC';
    candidates uuid[];
    recounted uuid[];
    is_new boolean;
    zero_stats tid[];
    zero_outcomes tid[];
    wrong bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN 0;
    ELSIF recounted_day IS NOT NULL OR recounted_signature IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('outcome_merge'));
    ELSIF NOT pg_try_advisory_xact_lock(hashtext('outcome_merge')) THEN
        RETURN 0;
    END IF;

    -- A signature is looked at with a probability proportional to its changes.
    candidates := ARRAY(
        SELECT s.signature_id
        FROM (
            SELECT c.signature_id FROM outcome_change AS c
            UNION ALL
            SELECT r.signature_id FROM remediation_audit AS r WHERE r.start_time >= since AND r.start_time < until
        ) AS s
        GROUP BY s.signature_id
        HAVING random() * frequent / 4 < count(*)
    );
    -- A signature with too many facets is counted again without fingerprint and target.
    WITH crowded AS (
        UPDATE outcome_hot AS h
        SET resources = false
        WHERE h.signature_id = ANY(candidates) AND h.resources
            AND (SELECT count(*) FROM outcome_facet AS f WHERE f.signature_id = h.signature_id) > most_facets
        RETURNING h.signature_id
    ),
    emptied AS (
        DELETE FROM outcome AS o USING crowded AS c WHERE o.signature_id = c.signature_id
    ),
    removed AS (
        DELETE FROM outcome_facet AS f USING crowded AS c WHERE f.signature_id = c.signature_id
    ),
    promoted AS (
        INSERT INTO outcome_hot AS h (signature_id, resources)
        SELECT c.id, (
            SELECT count(*) FROM (
                SELECT DISTINCT r.alert_fingerprint, r.target_resource
                FROM remediation_audit AS r
                WHERE r.signature_id = c.id
                LIMIT most_facets + 1
            ) AS d
        ) <= most_facets
        FROM unnest(candidates) AS c (id)
        WHERE NOT EXISTS (SELECT FROM outcome_hot AS h WHERE h.signature_id = c.id)
            AND EXISTS (SELECT FROM remediation_audit AS r WHERE r.signature_id = c.id OFFSET frequent LIMIT 1)
            AND NOT EXISTS (SELECT FROM remediation_audit AS r WHERE r.signature_id = c.id OFFSET largest LIMIT 1)
        RETURNING h.signature_id
    )
    SELECT coalesce(array_agg(s.signature_id), '{}'), bool_or(s.is_new AND s.signature_id = recounted_signature) INTO recounted, is_new
    FROM (
        SELECT signature_id, true AS is_new FROM crowded
        UNION ALL
        SELECT signature_id, true FROM promoted
        UNION ALL
        SELECT h.signature_id, false FROM outcome_hot AS h WHERE h.signature_id = recounted_signature
    ) AS s;
    IF is_new THEN
        -- Its counts are not wrong but missing.
        recounted_signature := NULL;
    END IF;

    WITH taken AS (
        DELETE FROM outcome_change RETURNING *
    ),
    -- n is to be added, and wrong is what the changes do not explain.
    stats_source AS (
        SELECT c.n, 0 AS wrong, c.start_time, c.name, c.action_type, c.namespace, c.severity, c.cluster_name, c.environment, c.status
        FROM taken AS c
        WHERE (c.start_time >= since AND c.start_time < until) IS NOT TRUE
        UNION ALL
        SELECT 0, -c.n, c.start_time, c.name, c.action_type, c.namespace, c.severity, c.cluster_name, c.environment, c.status
        FROM taken AS c
        WHERE c.start_time >= since AND c.start_time < until
        UNION ALL
        SELECT 1, 1, r.start_time, r.name, r.action_type, r.namespace, r.severity, r.cluster_name, r.environment, r.status
        FROM remediation_audit AS r
        WHERE r.start_time >= since AND r.start_time < until
    ),
    stats_delta AS (
        SELECT k.dimension, k.key, s.quarter, s.status, sum(s.n) AS n, sum(s.wrong) AS wrong
        FROM (
            SELECT
                sum(s.n) AS n, sum(s.wrong) AS wrong, date_bin('15 minutes', s.start_time, '2000-01-01 00:00:00Z') AS quarter,
                s.name, s.action_type, s.namespace, s.severity, s.cluster_name, s.environment, s.status
            FROM stats_source AS s
            GROUP BY 3, 4, 5, 6, 7, 8, 9, 10
        ) AS s
        CROSS JOIN LATERAL stats_keys(outcome_remediation(
            NULL, NULL, s.name, s.namespace, s.cluster_name, s.environment, s.severity, NULL, s.action_type, NULL, NULL, s.status
        )) AS k
        GROUP BY 1, 2, 3, 4
        UNION ALL
        SELECT s.dimension, s.key, s.period, v.status, -v.n, -v.n
        FROM stats_count AS s
        CROSS JOIN LATERAL (
            VALUES ('pending', s.pending), ('running', s.running), ('success', s.success), ('failure', s.failure)
        ) AS v (status, n)
        WHERE s.dimension IN (SELECT k.dimension FROM stats_keys(NULL) AS k)
            AND s.grain = 'quarter' AND s.period >= since AND s.period < until
    ),
    stats_net AS (
        SELECT d.dimension, d.key, d.quarter, d.status, sum(d.n) AS n, sum(d.wrong) AS wrong
        FROM stats_delta AS d
        GROUP BY 1, 2, 3, 4
    ),
    stats_written AS (
        INSERT INTO stats_count AS s (dimension, grain, period, key, pending, running, success, failure)
        SELECT
            d.dimension, p.grain, p.period, d.key,
            coalesce(sum(d.n) FILTER (WHERE d.status = 'pending'), 0),
            coalesce(sum(d.n) FILTER (WHERE d.status = 'running'), 0),
            coalesce(sum(d.n) FILTER (WHERE d.status = 'success'), 0),
            coalesce(sum(d.n) FILTER (WHERE d.status = 'failure'), 0)
        FROM stats_net AS d
        CROSS JOIN LATERAL stats_periods(d.quarter) AS p
        WHERE d.n <> 0 AND (p.grain <> 'hour' OR d.dimension = 'all')
        GROUP BY 1, 2, 3, 4
        ON CONFLICT (dimension, grain, period, key) DO UPDATE
        SET pending = s.pending + excluded.pending, running = s.running + excluded.running,
            success = s.success + excluded.success, failure = s.failure + excluded.failure
        RETURNING s.ctid AS row, (s.pending, s.running, s.success, s.failure) = (0, 0, 0, 0) AS is_zero
    ),
    outcome_source AS (
        SELECT
            CASE WHEN c.signature_id = ANY(recounted) THEN 0 ELSE c.n END AS n,
            CASE WHEN c.signature_id = ANY(recounted) THEN -c.n ELSE 0 END AS wrong,
            c.signature_id, c.start_time, c.name, c.namespace, c.cluster_name, c.environment, c.severity,
            CASE WHEN h.resources THEN c.alert_fingerprint END AS alert_fingerprint, c.action_type,
            CASE WHEN h.resources THEN c.target_resource END AS target_resource, c.phase, c.status
        FROM taken AS c
        JOIN outcome_hot AS h ON h.signature_id = c.signature_id
        UNION ALL
        SELECT
            1, 1, r.signature_id, r.start_time, r.name, r.namespace, r.cluster_name, r.environment, r.severity,
            CASE WHEN h.resources THEN r.alert_fingerprint END, r.action_type,
            CASE WHEN h.resources THEN r.target_resource END, r.phase, r.status
        FROM outcome_hot AS h
        JOIN remediation_audit AS r ON r.signature_id = h.signature_id
        WHERE h.signature_id = ANY(recounted)
    ),
    outcome_grouped AS (
        SELECT
            sum(s.n) AS n, sum(s.wrong) AS wrong, date_bin('15 minutes', s.start_time, '2000-01-01 00:00:00Z') AS quarter, s.signature_id,
            s.name, s.namespace, s.cluster_name, s.environment, s.severity, s.alert_fingerprint, s.action_type, s.target_resource,
            s.phase, s.status,
            md5(ROW(
                s.name, s.namespace, s.cluster_name, s.environment, s.severity, s.alert_fingerprint, s.action_type, s.target_resource,
                s.phase, s.status
            )::text)::uuid AS facets
        FROM outcome_source AS s
        GROUP BY 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
    ),
    facets_written AS (
        INSERT INTO outcome_facet (
            signature_id, facets, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource,
            phase, status
        )
        SELECT DISTINCT
            g.signature_id, g.facets, g.name, g.namespace, g.cluster_name, g.environment, g.severity, g.alert_fingerprint, g.action_type,
            g.target_resource, g.phase, g.status
        FROM outcome_grouped AS g
        WHERE g.n <> 0
        ON CONFLICT (signature_id, facets) DO NOTHING
    ),
    outcome_delta AS (
        SELECT g.signature_id, g.facets, g.quarter, g.n, g.wrong FROM outcome_grouped AS g
        UNION ALL
        SELECT o.signature_id, o.facets, o.period, -o.n, -o.n
        FROM outcome AS o
        WHERE o.signature_id = ANY(recounted) AND o.grain = 'quarter'
    ),
    outcome_net AS (
        SELECT d.signature_id, d.facets, d.quarter, sum(d.n) AS n, sum(d.wrong) AS wrong
        FROM outcome_delta AS d
        GROUP BY 1, 2, 3
    ),
    outcome_written AS (
        INSERT INTO outcome AS o (signature_id, grain, period, facets, n)
        SELECT d.signature_id, p.grain, p.period, d.facets, sum(d.n)
        FROM outcome_net AS d
        CROSS JOIN LATERAL stats_periods(d.quarter) AS p
        WHERE d.n <> 0
        GROUP BY 1, 2, 3, 4
        HAVING sum(d.n) <> 0
        ON CONFLICT (signature_id, grain, period, facets) DO UPDATE SET n = o.n + excluded.n
        RETURNING o.ctid AS row, o.n = 0 AS is_zero
    )
    SELECT
        (SELECT array_agg(w.row) FROM stats_written AS w WHERE w.is_zero),
        (SELECT array_agg(w.row) FROM outcome_written AS w WHERE w.is_zero),
        (SELECT count(*) FROM stats_net AS d WHERE d.wrong <> 0)
            + (SELECT count(*) FROM outcome_net AS d WHERE d.wrong <> 0 AND d.signature_id = recounted_signature)
    INTO zero_stats, zero_outcomes, wrong;
    DELETE FROM stats_count WHERE ctid = ANY(zero_stats);
    DELETE FROM outcome WHERE ctid = ANY(zero_outcomes);
    RETURN wrong;
END
$$;

REVOKE EXECUTE ON FUNCTION outcome_merge FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outcome_merge TO datastorage_writer;
