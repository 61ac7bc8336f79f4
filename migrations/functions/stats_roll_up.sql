-- Counts a day of the statistics from the records, and returns whether it was marked to be counted. If it was not, and a count was wrong, it
-- is corrected with a warning.
--
-- The marks are deleted first and the records are read after that: a mark that is added in between stays.
CREATE OR REPLACE FUNCTION stats_roll_up(of_day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    marked boolean;
    wrong bigint;
BEGIN
    DELETE FROM public.stats_changed WHERE day = of_day;
    marked := FOUND;
    wrong := public.outcome_merge(of_day, NULL, 1000000000);
    IF wrong > 0 AND NOT marked THEN
        RAISE WARNING '% counts of % were wrong', wrong, of_day;
    END IF;
    RETURN marked;
END
$$;

REVOKE EXECUTE ON FUNCTION stats_roll_up FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats_roll_up TO datastorage_writer;
