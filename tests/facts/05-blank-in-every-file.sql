-- province-days whose cured, whose dead is blank in every file
-- expect: 318, 449
SELECT sum(CASE WHEN cured = 0 THEN 1 ELSE 0 END), sum(CASE WHEN dead = 0 THEN 1 ELSE 0 END)
FROM (
    SELECT date, province_code, count(cured) AS cured, count(dead) AS dead
    FROM health.provincial
    WHERE bulletin_date IS NOT NULL
    GROUP BY date, province_code
) AS known
