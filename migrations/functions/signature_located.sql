-- The trigger on outcome_change that keeps the words of where a signature's remediations ran (signature_location): it adds those of the
-- remediations that a statement gained. Words stay when their last remediation gets another signature or is deleted. In the usual case,
-- where all are known, it writes nothing and locks nothing; two writers of the same new words wait for each other, as for the same new
-- signature.
CREATE OR REPLACE FUNCTION signature_located() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.signature_location (word, signature_id)
    SELECT DISTINCT w.word, a.signature_id
    FROM (SELECT DISTINCT signature_id, namespace, cluster_name, target_resource FROM added WHERE n > 0) AS a
    CROSS JOIN LATERAL unnest(public.location_words(a.namespace, a.cluster_name, a.target_resource)) AS w (word)
    -- Sorted, so that two writers of the same words do not deadlock.
    ORDER BY w.word, a.signature_id
    ON CONFLICT (word, signature_id) DO NOTHING;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION signature_located FROM PUBLIC;
