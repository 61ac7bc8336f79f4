-- name: LexicalStatistics :one
-- LexicalStatistics answers how many signatures there are and the mean of their lengths: counted by the upkeep where there are many, now
-- where there are few.
SELECT coalesce(k.signatures, l.signatures)::bigint AS signatures, coalesce(k.mean_length, l.mean_length, 0)::float8 AS mean_length
FROM (SELECT) AS one
LEFT JOIN lexical_statistic AS k ON k.id = 1 AND k.signatures >= @few::bigint
LEFT JOIN LATERAL (
    SELECT count(*) AS signatures, avg(s.length)::float8 AS mean_length
    FROM signature AS s
    WHERE k.id IS NULL
) AS l ON true;

-- name: LexicalFrequencies :many
-- LexicalFrequencies answers how many signatures hold each of the terms, those that none holds left out: as the upkeep counted for terms
-- that many hold, else counted now, no further than most.
SELECT a.term::bigint AS term, coalesce(k.signatures, n.signatures)::bigint AS signatures
FROM (SELECT unnest(@terms::bigint[]) AS term) AS a
LEFT JOIN lexical_term AS k ON k.term = a.term
CROSS JOIN LATERAL (
    SELECT count(*) AS signatures
    FROM (
        SELECT
        FROM signature_term AS t
        WHERE k.term IS NULL AND t.term = a.term
        LIMIT @most::bigint
    ) AS held
) AS n
WHERE k.term IS NOT NULL OR n.signatures > 0
ORDER BY a.term;

-- name: LexicalCount :one
-- LexicalCount counts anew what searches need, if enough has changed, and answers whether it had.
SELECT lexical_count(@few::bigint)::boolean AS counted;

-- name: SignatureUnanalyzed :many
-- SignatureUnanalyzed answers signatures whose terms are of an older analyzer, or of none.
SELECT s.id, s.text
FROM signature AS s
WHERE s.analyzer < @analyzer::smallint
ORDER BY s.analyzer, s.id
LIMIT @page_size::bigint;

-- name: SignatureAnalyze :execrows
-- SignatureAnalyze stores the terms of signatures. terms and counts are arrays as text, one for each signature.
UPDATE signature AS s
SET terms = a.terms::bigint[], counts = a.counts::smallint[], length = a.length, analyzer = @analyzer::smallint
FROM (
    SELECT
        unnest(@ids::uuid[]) AS id, unnest(@terms::text[]) AS terms, unnest(@counts::text[]) AS counts,
        unnest(@lengths::integer[]) AS length
) AS a
WHERE s.id = a.id AND s.analyzer < @analyzer::smallint;
