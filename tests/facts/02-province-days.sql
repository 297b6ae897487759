-- province-days in the dated bulletins; with a confirmed figure
-- expect: 568, 547
SELECT count(*), count(confirmed)
FROM (
    SELECT date, province_code, max(confirmed) AS confirmed
    FROM health.provincial
    WHERE bulletin_date IS NOT NULL
    GROUP BY date, province_code
) AS province_days
