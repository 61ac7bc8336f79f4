-- Returns the periods of UTC that contain a time, for each grain of the counts.
CREATE OR REPLACE FUNCTION stats_periods(t timestamptz) RETURNS TABLE (grain text, period timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    VALUES
        ('quarter', date_bin('15 minutes', t, '2000-01-01 00:00:00Z')),
        ('hour', date_trunc('hour', t, 'UTC')),
        ('day', date_trunc('day', t, 'UTC')),
        ('month', date_trunc('month', t, 'UTC'));
END;
