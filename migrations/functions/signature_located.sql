-- The trigger on outcome_change that keeps the words of the names of targets, namespaces and clusters where a signature's remediations ran
-- (signature_location). It runs when outcome_merge deletes the changes that it has merged, not in every write, of which it would be a large
-- part, and adds the words of the gained remediations. A word is a part of a name between punctuation, in lower
-- case, of two letters at least, without a number at its end. The kind of a target is left out, and so are parts with numbers within and
-- the random parts of a pod's name, which Kubernetes makes of 27 letters and digits (k8s.io/apimachinery/pkg/util/rand).
--
-- Words stay when their last remediation gets another signature or is deleted.
CREATE OR REPLACE FUNCTION signature_located() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.signature_location (word, signature_id)
    SELECT DISTINCT w.word, a.signature_id
    FROM (SELECT DISTINCT signature_id, namespace, cluster_name, target_resource FROM merged WHERE n > 0) AS a
    CROSS JOIN LATERAL unnest(string_to_array(
        translate(
            lower(a.namespace || ' ' || coalesce(a.cluster_name, '') || ' ' || coalesce(substr(a.target_resource, strpos(a.target_resource, '/') + 1), '')),
            '-_./:@,()', '         '
        ), ' '
    )) AS p (part)
    CROSS JOIN LATERAL rtrim(p.part, '0123456789') AS w (word)
    WHERE length(w.word) >= 2
        AND translate(w.word, '0123456789', '') = w.word
        AND (length(p.part) NOT IN (5, 8, 9, 10) OR translate(p.part, 'bcdfghjklmnpqrstvwxz2456789', '') <> '')
    ON CONFLICT (word, signature_id) DO NOTHING;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION signature_located FROM PUBLIC;
