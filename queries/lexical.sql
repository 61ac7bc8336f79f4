-- name: LexicalStatistics :one
-- LexicalStatistics returns the number of signatures and the mean of their lengths: from the last maintenance run if it counted at least
-- min_signatures, otherwise counted now.
SELECT coalesce(k.signatures, l.signatures)::bigint AS signatures, coalesce(k.mean_length, l.mean_length, 0)::float8 AS mean_length
FROM (SELECT) AS one
LEFT JOIN lexical_statistic AS k ON k.id = 1 AND k.signatures >= @min_signatures::bigint
LEFT JOIN LATERAL (
    SELECT count(*) AS signatures, avg(s.length)::float8 AS mean_length
    FROM signature AS s
    WHERE k.id IS NULL
) AS l ON true;

-- name: LexicalFrequencies :many
-- LexicalFrequencies returns how many signatures contain each of the terms, without the terms that none contains: from the last
-- maintenance run for frequent terms, otherwise counted now, up to max_count. Rows with a word return how many signatures occurred at a
-- location with the word in its name, up to max_count too.
SELECT a.term::bigint AS term, ''::text AS word, coalesce(k.signatures, n.signatures)::bigint AS signatures
FROM (SELECT unnest(@terms::bigint[]) AS term) AS a
LEFT JOIN lexical_term AS k ON k.term = a.term
CROSS JOIN LATERAL (
    SELECT count(*) AS signatures
    FROM (
        SELECT
        FROM signature_term AS t
        WHERE k.term IS NULL AND t.term = a.term
        LIMIT @max_count::bigint
    ) AS containing
) AS n
WHERE k.term IS NOT NULL OR n.signatures > 0
UNION ALL
SELECT 0, w.word, n.signatures
FROM (SELECT unnest(@words::text[]) AS word) AS w
CROSS JOIN LATERAL (
    SELECT count(*) AS signatures
    FROM (SELECT FROM signature_location AS l WHERE l.word = w.word LIMIT @max_count::bigint) AS located
) AS n
WHERE n.signatures > 0
ORDER BY 2, 1;

-- name: LexicalCount :one
-- LexicalCount updates the counts by which searches weight terms, if enough has changed since the last count, and returns whether it did.
SELECT lexical_count(@frequent::bigint)::boolean AS counted;
