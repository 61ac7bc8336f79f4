-- +goose Up
-- The present bodies of the functions below are in functions/.

-- The terms of a signature's text, made by the given version of the analyzer: identities of words and of pairs of words, distinct and
-- sorted, with the number of occurrences of each. Version 0 means not analyzed yet; the maintain function analyzes these.
ALTER TABLE signature
    ADD COLUMN terms bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN counts smallint[] NOT NULL DEFAULT '{}',
    ADD COLUMN length integer NOT NULL DEFAULT 0 CHECK (length >= 0),
    ADD COLUMN analyzer smallint NOT NULL DEFAULT 0 CHECK (analyzer >= 0),
    ADD CONSTRAINT signature_counts CHECK (cardinality(terms) = cardinality(counts));

CREATE INDEX signature_length ON signature (length);
CREATE INDEX signature_analyzer ON signature (analyzer, id);

-- The inverted index: which signatures contain a term. Only a trigger on signature.terms writes to it, so the two cannot disagree. A
-- signature is never deleted, so there is no foreign key, which PostgreSQL would check for every row.
-- Note: since 0014, signatures are deleted, and the trigger signature_terms_gone deletes their terms.
CREATE TABLE signature_term (
    term bigint NOT NULL,
    signature_id uuid NOT NULL,
    count smallint NOT NULL CHECK (count > 0),
    length integer NOT NULL CHECK (length > 0),
    PRIMARY KEY (term, signature_id) INCLUDE (count, length)
);

-- Searches use index-only scans, which need pages that vacuum has visited.
ALTER TABLE signature_term SET (autovacuum_vacuum_insert_scale_factor = 0.05);

-- +goose StatementBegin
CREATE FUNCTION signature_terms_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM signature_term WHERE term = ANY(OLD.terms) AND signature_id = NEW.id;
    END IF;
    INSERT INTO signature_term (term, signature_id, count, length)
    SELECT unnest(NEW.terms), NEW.id, unnest(NEW.counts), NEW.length;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER signature_terms AFTER INSERT OR UPDATE OF terms ON signature
    FOR EACH ROW EXECUTE FUNCTION signature_terms_made();

-- What the maintain function counts for searches: the number of signatures, and the frequency of frequent terms. A search counts rarer terms
-- on its own.
CREATE TABLE lexical_statistic (
    id smallint PRIMARY KEY CHECK (id = 1),
    signatures bigint NOT NULL CHECK (signatures >= 0),
    mean_length double precision NOT NULL CHECK (mean_length >= 0),
    counted_at timestamptz NOT NULL
);

CREATE TABLE lexical_term (
    term bigint PRIMARY KEY,
    signatures bigint NOT NULL CHECK (signatures > 0)
);

-- Counts again if the number of signatures has changed by a twentieth.
-- +goose StatementBegin
CREATE FUNCTION lexical_count(frequent bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    now_there bigint;
    mean double precision;
BEGIN
    SELECT count(*), coalesce(avg(length), 0) INTO now_there, mean FROM signature;
    IF EXISTS (SELECT FROM lexical_statistic WHERE abs(now_there - signatures) * 20 <= signatures) THEN
        RETURN false;
    END IF;
    INSERT INTO lexical_statistic AS s (id, signatures, mean_length, counted_at)
    VALUES (1, now_there, mean, now())
    ON CONFLICT (id) DO UPDATE
    SET signatures = excluded.signatures, mean_length = excluded.mean_length, counted_at = excluded.counted_at;
    INSERT INTO lexical_term AS t (term, signatures)
    SELECT p.term, count(*)
    FROM signature_term AS p
    GROUP BY p.term
    HAVING count(*) >= frequent
    ORDER BY p.term
    ON CONFLICT (term) DO UPDATE SET signatures = excluded.signatures;
    RETURN true;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION lexical_count, signature_terms_made FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lexical_count TO datastorage_writer;
GRANT SELECT ON signature_term, lexical_statistic, lexical_term TO datastorage_writer, datastorage_reader;
GRANT UPDATE (terms, counts, length, analyzer) ON signature TO datastorage_writer;

-- +goose Down
DROP TRIGGER signature_terms ON signature;
DROP FUNCTION signature_terms_made, lexical_count;
DROP TABLE lexical_term, lexical_statistic, signature_term;
ALTER TABLE signature DROP COLUMN terms, DROP COLUMN counts, DROP COLUMN length, DROP COLUMN analyzer;
