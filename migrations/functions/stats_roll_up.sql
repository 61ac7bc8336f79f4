-- Counts a day again if it is marked as changed, and returns whether it was.
--
-- The marks are deleted first and the records are read after that, each statement with a snapshot of its own: a record that is written in
-- between may be counted or not, and its mark stays in either case. A second call for the same day waits for the first and finds no marks.
CREATE OR REPLACE FUNCTION stats_roll_up(of_day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    since timestamptz := of_day::timestamp AT TIME ZONE 'UTC';
    until timestamptz := (of_day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('stats_roll_up'), of_day - date '2000-01-01');
    DELETE FROM public.stats_changed WHERE day = of_day;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM public.stats_daily
    WHERE dimension = ANY(ARRAY(SELECT k.dimension FROM public.stats_keys(NULL) AS k)) AND day = of_day;
    INSERT INTO public.stats_daily (dimension, day, key, total, success, failure)
    SELECT
        k.dimension,
        of_day,
        k.key,
        count(*),
        count(*) FILTER (WHERE r.status = 'success'),
        count(*) FILTER (WHERE r.status = 'failure')
    FROM public.remediation_audit AS r
    CROSS JOIN LATERAL public.stats_keys(r) AS k
    WHERE r.start_time >= since AND r.start_time < until
    GROUP BY k.dimension, k.key;
    DELETE FROM public.stats_quarter_hour WHERE start_time >= since AND start_time < until;
    INSERT INTO public.stats_quarter_hour (start_time, pending, running, success, failure)
    SELECT
        date_bin('15 minutes', r.start_time, '2000-01-01 00:00:00Z'),
        count(*) FILTER (WHERE r.status = 'pending'),
        count(*) FILTER (WHERE r.status = 'running'),
        count(*) FILTER (WHERE r.status = 'success'),
        count(*) FILTER (WHERE r.status = 'failure')
    FROM public.remediation_audit AS r
    WHERE r.start_time >= since AND r.start_time < until
    GROUP BY 1;
    RETURN true;
END
$$;

REVOKE EXECUTE ON FUNCTION stats_roll_up FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats_roll_up TO datastorage_writer;
