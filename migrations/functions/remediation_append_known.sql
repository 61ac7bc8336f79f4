-- Writes one remediation of a stored signature with its journal entry: remediation_append for the most frequent write. It returns the id of
-- the remediation, and 1 if its signature has a vector of the model or else 0; NULL if the remediation is stored already.
--
-- A result that is one value costs a tenth less than a row (docs/decisions/006).
CREATE OR REPLACE FUNCTION remediation_append_known(
    event_id uuid, recorded_at timestamptz, actor text, canonical bytea, content_hash bytea,

    remediation_id text, name text, namespace text, cluster_name text, environment text, severity text, alert_fingerprint text,
    action_type text, target_resource text, phase text, status text, start_time timestamptz, end_time timestamptz, duration_ms bigint,
    error_message text, workflow_yaml text, metadata text,

    signature_id uuid, model text
) RETURNS bigint[]
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    new_id bigint;
    state text;
BEGIN
    INSERT INTO public.remediation_audit AS r (
        remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource,
        phase, status, start_time, end_time, duration_ms, error_message, workflow_yaml, metadata, signature_id, actor, event_id,
        created_at, updated_at
    )
    VALUES (
        remediation_id, name, namespace, cluster_name, environment, severity, alert_fingerprint, action_type, target_resource,
        phase, status, start_time, end_time, duration_ms, error_message, workflow_yaml, metadata::json, signature_id, actor, event_id,
        recorded_at, recorded_at
    )
    ON CONFLICT (remediation_id) DO NOTHING
    RETURNING r.id INTO new_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.audit_event AS e (event_id, recorded_at, kind, remediation_id, actor, canonical, content_hash, embedding)
    VALUES (
        event_id, recorded_at, 'remediation', remediation_id, actor, canonical, content_hash,
        CASE
            WHEN EXISTS (
                SELECT
                FROM public.embedding AS v
                WHERE v.model_id = (SELECT m.id FROM public.embedding_model AS m WHERE m.name = model)
                    AND v.signature_id = remediation_append_known.signature_id
            ) THEN 'stored'
            ELSE 'pending'
        END
    )
    RETURNING e.embedding INTO state;
    RETURN ARRAY[new_id, (state = 'stored')::integer];
END
$$;

REVOKE EXECUTE ON FUNCTION remediation_append_known FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remediation_append_known TO datastorage_writer;
