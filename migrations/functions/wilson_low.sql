-- The lower bound of the Wilson 95 % interval of success among ended: NULL if nothing has ended, and exactly 0 without a success, where
-- rounding errors would order equal rates. Success rates sort by it; internal/audit computes the same bounds and cites the formula's source.
CREATE OR REPLACE FUNCTION wilson_low(success float8, ended float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN ended = 0 THEN NULL
    WHEN success = 0 THEN 0
    ELSE (
        success / ended + 3.8414588206941254 / (2 * ended)
        - 1.959963984540054 * sqrt(success / ended * (1 - success / ended) / ended + 3.8414588206941254 / (4 * ended * ended))
    ) / (1 + 3.8414588206941254 / ended)
END;
