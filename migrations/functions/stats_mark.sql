-- The trigger that marks the days whose counts a write invalidates. It runs once for each statement, so a batch of a thousand marks its
-- day once. An update marks a day only if it changes what stats_roll_up counts; a new signature, phase or text does not.
CREATE OR REPLACE FUNCTION stats_mark() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO public.stats_changed (day)
        SELECT DISTINCT (either.start_time AT TIME ZONE 'UTC')::date
        -- A row that changes its id has no counterpart and counts as changed.
        FROM before AS b
        FULL JOIN changed AS c ON c.id = b.id
        CROSS JOIN LATERAL (VALUES (b.start_time), (c.start_time)) AS either (start_time)
        WHERE (b.start_time, b.status, b.name, b.action_type, b.namespace, b.severity, b.cluster_name, b.environment)
            IS DISTINCT FROM
            (c.start_time, c.status, c.name, c.action_type, c.namespace, c.severity, c.cluster_name, c.environment)
            AND either.start_time IS NOT NULL;
    ELSIF TG_OP = 'TRUNCATE' THEN
        INSERT INTO public.stats_changed (day)
        SELECT DISTINCT day FROM public.stats_daily;
    ELSE
        INSERT INTO public.stats_changed (day)
        SELECT DISTINCT (start_time AT TIME ZONE 'UTC')::date FROM changed;
    END IF;
    RETURN NULL;
END
$$;
