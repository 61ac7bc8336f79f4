INSERT INTO signature (id, text, normalizer)
SELECT s.id, s.text, $3::smallint
FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::text[]) AS text) AS s
ORDER BY s.id
ON CONFLICT (id) DO NOTHING
