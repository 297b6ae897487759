-- a city named twice in one bulletin (e.g. Wenzhou 6 and 1 in Zhejiang's of 2020-01-23): kept and numbered
-- expect: 5, 1
SELECT count(*),
       sum(CASE WHEN bulletin = '2020-01-23浙江省' AND city = '温州市' AND once = 6 AND again = 1 THEN 1 ELSE 0 END)
FROM (
    SELECT a.bulletin, a.city, a.confirmed AS once, b.confirmed AS again
    FROM health.city AS a
    JOIN health.city AS b
        ON b.bulletin = a.bulletin AND b.date = a.date AND b.province_code = a.province_code AND b.city = a.city
    WHERE a.occurrence = 1 AND b.occurrence = 2
) AS pairs
