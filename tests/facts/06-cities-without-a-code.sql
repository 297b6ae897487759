-- rows with a city but no city code (外地来京, 两江新区, …)
-- expect: 113
SELECT count(*) FROM health.city WHERE city_code IS NULL
