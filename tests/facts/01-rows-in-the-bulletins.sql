-- rows in all 521 files; in the dated bulletins (2020-01-19 to 2020-02-06)
-- expect: 6002, 5850, 521, 519
SELECT count(*), count(bulletin_date), count(DISTINCT bulletin),
       count(DISTINCT CASE WHEN bulletin_date IS NOT NULL THEN bulletin END)
FROM (
    SELECT bulletin, bulletin_date FROM health.national
    UNION ALL SELECT bulletin, bulletin_date FROM health.provincial
    UNION ALL SELECT bulletin, bulletin_date FROM health.city
) AS bulletin_rows
