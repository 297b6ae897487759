-- sum of the 31 provinces (highest figure per province-day) / national bulletin: equal on 02-02 and 02-04;
-- on 02-05 Tianjin's file is absent; on 01-29 they differ
-- expect: 2020-01-29, 7643, 7711
-- expect: 2020-02-02, 17205, 17205
-- expect: 2020-02-04, 24324, 24324
-- expect: 2020-02-05, 27948, 28018
SELECT p.date, sum(p.confirmed), max(n.confirmed)
FROM (
    SELECT date, province_code, max(confirmed) AS confirmed
    FROM health.provincial
    WHERE bulletin_date IS NOT NULL AND province_code NOT IN ('710000', '810000', '820000')
    GROUP BY date, province_code
) AS p
JOIN health.national AS n ON n.date = p.date AND n.country_code = 'CN' AND n.issuer IS NULL AND n.bulletin_date IS NOT NULL
WHERE p.date IN (DATE '2020-01-29', DATE '2020-02-02', DATE '2020-02-04', DATE '2020-02-05')
GROUP BY p.date
ORDER BY p.date
