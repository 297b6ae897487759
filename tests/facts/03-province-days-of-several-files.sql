-- province-days reported by more than one file: in all; equal; one side blank; in conflict
-- expect: 23, 12, 9, 2
SELECT count(*),
       sum(CASE WHEN known = reports AND figures = 1 THEN 1 ELSE 0 END),
       sum(CASE WHEN known < reports THEN 1 ELSE 0 END),
       sum(CASE WHEN known = reports AND figures > 1 THEN 1 ELSE 0 END)
FROM (
    SELECT date, province_code, count(*) AS reports, count(confirmed) AS known,
           count(DISTINCT confirmed) AS figures
    FROM health.provincial
    WHERE bulletin_date IS NOT NULL
    GROUP BY date, province_code
    HAVING count(DISTINCT bulletin) > 1
) AS repeated
