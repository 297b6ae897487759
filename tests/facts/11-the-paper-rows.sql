-- The Paper: rows (one of 27,424 has an unparsable date and is a reject); negative new cases
-- expect: 27423, 70
SELECT count(*), sum(CASE WHEN new_confirmed < 0 THEN 1 ELSE 0 END) FROM paper.daily
