-- JHU's places with population: in all; of China
-- expect: 4172, 34
SELECT count(*), sum(CASE WHEN country = 'China' AND population IS NOT NULL THEN 1 ELSE 0 END) FROM ref.population
