-- The trigger that keeps the inverted index, signature_term, equal to signature.terms, and deletes the words of a deleted signature's
-- locations.
CREATE OR REPLACE FUNCTION signature_terms_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM signature_term WHERE term = ANY(OLD.terms) AND signature_id = OLD.id;
    END IF;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM signature_location WHERE signature_id = OLD.id;
    ELSE
        INSERT INTO signature_term (term, signature_id, count, length)
        SELECT unnest(NEW.terms), NEW.id, unnest(NEW.counts), NEW.length;
    END IF;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION signature_terms_made FROM PUBLIC;
