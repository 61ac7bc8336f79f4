-- Returns the words of the names of a namespace, a cluster and a target, in lower case: their runs of letters, of two letters at least, without
-- the kind of the target and the random ends of a pod's name, which Kubernetes makes of 27 letters and digits
-- (k8s.io/apimachinery/pkg/util/rand). Characters outside ASCII count as letters.
CREATE OR REPLACE FUNCTION location_words(namespace text, cluster_name text, target_resource text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
    SELECT DISTINCT w.word
    FROM regexp_split_to_table(
        lower(concat_ws(
            ' ', namespace, cluster_name,
            regexp_replace(
                target_resource, '^[^/]*/|-[bcdfghjklmnpqrstvwxz2456789]{8,10}(?=-|$)|-[bcdfghjklmnpqrstvwxz2456789]{5}$', '', 'g'
            )
        )),
        '[\x01-\x60\x7b-\x7f]+'
    ) AS w (word)
    WHERE length(w.word) >= 2
);
