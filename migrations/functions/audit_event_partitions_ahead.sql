-- Creates the journal's missing partitions of this month and the given number of months after it, and returns how many it created.
--
-- A new partition is built as a separate table and then attached. Attaching locks the default partition exclusively for a moment; while it
-- waits behind a reader of the journal, every later statement waits behind it. So it gives up after one second and may be called again.
-- A month with rows in the default partition is skipped.
CREATE OR REPLACE FUNCTION audit_event_partitions_ahead(months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    first_day timestamptz;
    next_month timestamptz;
    part text;
    created integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_event_partitions_ahead'));
    FOR month IN 0..least(months, 120) LOOP
        first_day := date_trunc('month', now()) + make_interval(months => month);
        next_month := first_day + interval '1 month';
        part := 'audit_event_' || to_char(first_day, 'YYYY_MM');
        CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
        CONTINUE WHEN EXISTS (
            SELECT FROM public.audit_event_default d WHERE d.recorded_at >= first_day AND d.recorded_at < next_month
        );
        EXECUTE format('CREATE TABLE public.%I (LIKE public.audit_event INCLUDING ALL)', part);
        EXECUTE format('CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON public.%I
            FOR EACH STATEMENT EXECUTE FUNCTION public.audit_event_refuse_change()', part);
        EXECUTE format('ALTER TABLE public.audit_event ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            part, first_day, next_month);
        created := created + 1;
    END LOOP;
    RETURN created;
END
$$;

REVOKE EXECUTE ON FUNCTION audit_event_partitions_ahead FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_event_partitions_ahead TO datastorage_writer;
