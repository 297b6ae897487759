-- JHU rows; of China
-- expect: 101010, 12210
SELECT count(*), sum(CASE WHEN country = 'China' THEN 1 ELSE 0 END) FROM jhu.series
