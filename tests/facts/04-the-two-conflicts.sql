-- the two conflicts: Shanghai 2020-01-20 and 2020-01-21 (national file, provincial file)
-- expect: 2020-01-20, 2, 1
-- expect: 2020-01-21, 9, 6
SELECT n.date, n.confirmed, p.confirmed
FROM health.provincial AS n
JOIN health.provincial AS p ON p.date = n.date AND p.province_code = n.province_code
WHERE n.bulletin_date IS NOT NULL AND p.bulletin_date IS NOT NULL
  AND n.issuer IS NULL AND p.issuer = '上海市'
  AND n.confirmed <> p.confirmed
ORDER BY n.date
