-- name: SearchCount :one
-- SearchCount returns how many rows an exact search by the filter reads to find the signatures that match, counting up to max_count.
SELECT count(*)
FROM (
    SELECT FROM remediation_signatures(@filter::jsonb) LIMIT @max_count::bigint
) AS matching;

-- name: SearchNearest :many
-- SearchNearest returns the signatures nearest to the query vector among those with a remediation that matches the filter, nearest
-- first; distance is the cosine distance, 0 to 2.
--
-- With exact it measures every matching signature, which is complete, and fast if few match. Otherwise it walks the model's HNSW index
-- from the nearest on until enough signatures match, which is fast if many match and may end early if few do. dimensions and model_id
-- are the model's. The planner knows exact, so one of the two branches remains.
WITH walked AS (
    SELECT
        e.signature_id,
        (embedding_as(e.vector, @dimensions::integer) <=> (@query::real[])::halfvec)::float8 AS distance
    FROM embedding AS e
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM outcome_hot AS h WHERE h.signature_id = e.signature_id AND h.resources = ANY(@resources::boolean[])) AS is_counted
    ) AS h
    CROSS JOIN LATERAL (
        (
            SELECT
            FROM remediation_audit AS r
            WHERE NOT @exact::boolean
                AND NOT h.is_counted
                AND r.signature_id = e.signature_id
                AND remediation_matches(r, remediation_filter_read(@filter::jsonb))
            LIMIT 1
        )
        UNION ALL
        SELECT
        WHERE NOT @exact::boolean AND h.is_counted AND EXISTS (SELECT FROM outcome_counts(e.signature_id, @filter::jsonb, NULL))
        LIMIT 1
    ) AS matching
    WHERE NOT @exact::boolean AND e.model_id = @model_id::smallint
    -- A second sort key would rule out the index; ties are broken below.
    ORDER BY embedding_as(e.vector, @dimensions::integer) <=> (@query::real[])::halfvec
    LIMIT @page_size::bigint
),
measured AS (
    SELECT e.signature_id, (e.vector <=> (@query::real[])::halfvec)::float8 AS distance
    FROM (
        SELECT DISTINCT r.signature_id::uuid AS signature_id FROM remediation_signatures(@filter::jsonb) AS r (signature_id) WHERE @exact::boolean
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
ORDER BY
    -- + 0 keeps the planner from relying on the index for the order, which is only roughly that of the distances.
    n.distance + 0, n.signature_id;

-- name: SearchLexical :many
-- SearchLexical returns the signatures that score best for the weighted terms among those with a remediation that matches the filter, best
-- first. score is the sum of BM25 without the constant factor k1 + 1; flat and slope dampen a count by the text's length. parts are what the
-- words add for signatures that occurred at a location with the word in its name, also for those that contain it.
--
-- With exact it scores the matching signatures alone, which is fast if few match. Otherwise it scores all that contain a term and tries
-- them from the best on until enough match.
WITH matching AS (
    SELECT DISTINCT r.signature_id::uuid AS signature_id FROM remediation_signatures(@filter::jsonb) AS r (signature_id) WHERE @exact::boolean
),
containing AS NOT MATERIALIZED (
    SELECT t.signature_id, a.weight * t.count / (t.count + p.flat + p.slope * t.length) AS part
    FROM (SELECT @flat::float8 AS flat, @slope::float8 AS slope) AS p
    CROSS JOIN (SELECT unnest(@terms::bigint[]) AS term, unnest(@weights::float8[]) AS weight) AS a
    JOIN signature_term AS t ON t.term = a.term
    UNION ALL
    SELECT l.signature_id, a.part
    FROM (SELECT unnest(@words::text[]) AS word, unnest(@parts::float8[]) AS part) AS a
    JOIN signature_location AS l ON l.word = a.word
),
scored AS (
    SELECT h.signature_id, sum(h.part)::float8 AS score
    FROM (
        SELECT c.signature_id, c.part FROM containing AS c WHERE NOT @exact::boolean
        UNION ALL
        SELECT c.signature_id, c.part FROM containing AS c JOIN matching AS m ON m.signature_id = c.signature_id WHERE @exact::boolean
    ) AS h
    GROUP BY h.signature_id
    -- Sorted here, so that the filter is evaluated from the best signature on, only as often as needed.
    ORDER BY score DESC, h.signature_id
)
SELECT s.signature_id, s.score
FROM scored AS s
CROSS JOIN LATERAL (
    SELECT NOT @exact::boolean AND EXISTS (SELECT FROM outcome_hot AS h WHERE h.signature_id = s.signature_id AND h.resources = ANY(@resources::boolean[])) AS is_counted
) AS h
CROSS JOIN LATERAL (
    (
        SELECT
        FROM remediation_audit AS r
        WHERE NOT h.is_counted
            AND r.signature_id = s.signature_id
            AND (@exact::boolean OR remediation_matches(r, remediation_filter_read(@filter::jsonb)))
        LIMIT 1
    )
    UNION ALL
    SELECT
    WHERE h.is_counted AND EXISTS (SELECT FROM outcome_counts(s.signature_id, @filter::jsonb, NULL))
    LIMIT 1
) AS matching_remediation
ORDER BY s.score DESC, s.signature_id
LIMIT @page_size::bigint;

-- name: SearchLexicalFew :many
-- SearchLexicalFew returns what SearchLexical returns, for a filter that few remediations match: it scores the matching signatures by their
-- own terms, at a cost that does not depend on how many others contain them.
WITH matching AS (
    SELECT DISTINCT r.signature_id::uuid AS signature_id FROM remediation_signatures(@filter::jsonb) AS r (signature_id)
),
contained AS (
    SELECT m.signature_id, s.length, unnest(s.terms) AS term, unnest(s.counts) AS count
    FROM matching AS m
    -- OFFSET 0 makes it a lookup by key: a scan of the table would read all texts.
    CROSS JOIN LATERAL (SELECT s.terms, s.counts, s.length FROM signature AS s WHERE s.id = m.signature_id OFFSET 0) AS s
),
part AS (
    SELECT c.signature_id, a.weight * c.count / (c.count + p.flat + p.slope * c.length) AS part
    FROM (SELECT @flat::float8 AS flat, @slope::float8 AS slope) AS p
    CROSS JOIN (SELECT unnest(@terms::bigint[]) AS term, unnest(@weights::float8[]) AS weight) AS a
    JOIN contained AS c ON c.term = a.term
    UNION ALL
    SELECT l.signature_id, a.part
    FROM (SELECT unnest(@words::text[]) AS word, unnest(@parts::float8[]) AS part) AS a
    JOIN signature_location AS l ON l.word = a.word
    JOIN matching AS m ON m.signature_id = l.signature_id
)
SELECT p.signature_id, sum(p.part)::float8 AS score
FROM part AS p
GROUP BY p.signature_id
ORDER BY score DESC, p.signature_id
LIMIT @page_size::bigint;

-- name: SearchCandidates :many
-- SearchCandidates returns what every retriever scores signatures by: their terms, those of the words that are in names of their locations,
-- and their cosine distance from the query vector. The distance is 2, the largest possible, without a vector of the model or a query vector.
SELECT
    s.id, coalesce(s.incident_id, s.id)::uuid AS incident_id, s.text, s.terms, s.counts, s.length,
    ARRAY(
        SELECT l.word FROM signature_location AS l WHERE l.word = ANY(@words::text[]) AND l.signature_id = s.id
    )::text[] AS locations,
    coalesce(e.vector <=> (sqlc.narg('query')::real[])::halfvec, 2)::float8 AS distance
FROM signature AS s
LEFT JOIN embedding AS e ON e.model_id = @model_id::smallint AND e.signature_id = s.id AND sqlc.narg('query')::real[] IS NOT NULL
WHERE s.id = ANY(@ids::uuid[])
ORDER BY s.id;

-- name: SearchAlike :many
-- SearchAlike returns the cosine distances of signatures from an example signature, by their vectors of the model; those without a vector
-- are left out.
SELECT e.signature_id, (e.vector <=> example.vector)::float8 AS distance
FROM embedding AS example
JOIN embedding AS e ON e.model_id = example.model_id AND e.signature_id = ANY(@ids::uuid[])
WHERE example.model_id = @model_id::smallint AND example.signature_id = @example::uuid
ORDER BY e.signature_id;
