-- name: SearchNearest :many
-- SearchNearest answers the signatures nearest to the query vector among those with a remediation that the filters leave, nearest
-- first; distance is the cosine distance, 0 to 2.
--
-- exact takes the matching signatures first and measures them all: complete, and fast when few match. Otherwise the model's HNSW
-- index is walked from the nearest on until enough pass the filters, which is fast when many match and may end early when few do.
-- dimensions and model_id are the model's; with the values at hand one of the branches remains of the plan.
WITH walked AS (
    SELECT
        e.signature_id,
        (embedding_as(e.vector, @dimensions::integer) <=> (@query::real[])::halfvec)::float8 AS distance
    FROM embedding AS e
    CROSS JOIN LATERAL (
        SELECT
        FROM remediation_audit AS r
        WHERE NOT @exact::boolean
            AND r.signature_id = e.signature_id
            AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
        LIMIT 1
    ) AS matching
    WHERE NOT @exact::boolean AND e.model_id = @model_id::smallint
    -- A second key here would cost the index; ties are broken below.
    ORDER BY embedding_as(e.vector, @dimensions::integer) <=> (@query::real[])::halfvec
    LIMIT @page_size::bigint
),
measured AS (
    SELECT e.signature_id, (e.vector <=> (@query::real[])::halfvec)::float8 AS distance
    FROM (
        SELECT DISTINCT r.signature_id
        FROM remediation_audit AS r
        WHERE @exact::boolean
            AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
    ) AS matching
    JOIN embedding AS e ON e.model_id = @model_id::smallint AND e.signature_id = matching.signature_id
    ORDER BY 2, 1
    LIMIT @page_size::bigint
),
nearest AS (
    SELECT w.signature_id, w.distance FROM walked AS w
    UNION ALL
    SELECT m.signature_id, m.distance FROM measured AS m
)
SELECT n.signature_id, coalesce(s.incident_id, s.id)::uuid AS incident_id, n.distance::float8 AS distance, s.text
FROM nearest AS n
JOIN signature AS s ON s.id = n.signature_id
ORDER BY n.distance, n.signature_id;

-- name: SearchLexical :many
-- SearchLexical answers the signatures that hold the most of the weighted terms among those with a remediation that the filters leave,
-- best first. score is BM25's sum but for the constant factor k1 + 1; flat and slope dampen a count by the text's length.
--
-- exact takes the matching signatures first and scores them alone, which is fast when few match; otherwise all that hold a term are
-- scored and looked at from the best on until enough pass the filters.
WITH matching AS (
    SELECT DISTINCT r.signature_id
    FROM remediation_audit AS r
    WHERE @exact::boolean
        AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
),
held AS NOT MATERIALIZED (
    SELECT t.signature_id, a.weight * t.count / (t.count + p.flat + p.slope * t.length) AS part
    FROM (SELECT @flat::float8 AS flat, @slope::float8 AS slope) AS p
    CROSS JOIN (SELECT unnest(@terms::bigint[]) AS term, unnest(@weights::float8[]) AS weight) AS a
    JOIN signature_term AS t ON t.term = a.term
),
scored AS (
    SELECT h.signature_id, sum(h.part)::float8 AS score
    FROM (
        SELECT h.signature_id, h.part FROM held AS h WHERE NOT @exact::boolean
        UNION ALL
        SELECT h.signature_id, h.part FROM held AS h JOIN matching AS m ON m.signature_id = h.signature_id WHERE @exact::boolean
    ) AS h
    GROUP BY h.signature_id
    -- Sorted here, so that the filters are asked one by one from the best on.
    ORDER BY score DESC, h.signature_id
)
SELECT s.signature_id, s.score
FROM scored AS s
CROSS JOIN LATERAL (
    SELECT
    FROM remediation_audit AS r
    WHERE r.signature_id = s.signature_id
        AND (@exact::boolean OR remediation_matches(r, remediation_filter_read(@filter::jsonb)))
    LIMIT 1
) AS passing
ORDER BY s.score DESC, s.signature_id
LIMIT @page_size::bigint;

-- name: SearchCandidates :many
-- SearchCandidates answers what is needed to score signatures on every leg: their terms, and their cosine distance from the query vector,
-- 2, which is as far as can be, where they have no vector of the model or there is no query vector.
SELECT
    s.id, coalesce(s.incident_id, s.id)::uuid AS incident_id, s.text, s.terms, s.counts, s.length,
    coalesce(e.vector <=> (sqlc.narg('query')::real[])::halfvec, 2)::float8 AS distance
FROM signature AS s
LEFT JOIN embedding AS e ON e.model_id = @model_id::smallint AND e.signature_id = s.id AND sqlc.narg('query')::real[] IS NOT NULL
WHERE s.id = ANY(@ids::uuid[])
ORDER BY s.id;

-- name: SearchAlike :many
-- SearchAlike answers the cosine distances of signatures' vectors of the model from one signature's; those without a vector are left out.
SELECT e.signature_id, (e.vector <=> example.vector)::float8 AS distance
FROM embedding AS example
JOIN embedding AS e ON e.model_id = example.model_id AND e.signature_id = ANY(@ids::uuid[])
WHERE example.model_id = @model_id::smallint AND example.signature_id = @example::uuid
ORDER BY e.signature_id;
