-- The Paper: a row with an unparsable date (2020年 and a remark in the province column)
-- expect: data.csv, 1, date, true
SELECT file_name, count(*) OVER (), item, raw LIKE '2020年,各省出院总数比卫健委少2例,%'
FROM basin.rejects
WHERE schema_name = 'paper' AND dataset_name = 'daily'
