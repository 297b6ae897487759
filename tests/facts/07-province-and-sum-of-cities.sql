-- (file, province) pairs with city rows: in all; province = sum of cities; differing; province figure blank
-- expect: 486, 456, 25, 5
SELECT count(*),
       sum(CASE WHEN p.confirmed = c.confirmed THEN 1 ELSE 0 END),
       sum(CASE WHEN p.confirmed <> c.confirmed THEN 1 ELSE 0 END),
       sum(CASE WHEN p.confirmed IS NULL THEN 1 ELSE 0 END)
FROM (
    SELECT bulletin, province_code, coalesce(sum(confirmed), 0) AS confirmed
    FROM health.city
    WHERE bulletin_date IS NOT NULL
    GROUP BY bulletin, province_code
) AS c
LEFT JOIN health.provincial AS p ON p.bulletin = c.bulletin AND p.province_code = c.province_code
