-- the deliveries report the numbered keys: five in the bulletins' cities
-- expect: 5
SELECT max(numbered_keys) FROM basin.deliveries WHERE schema_name = 'health' AND dataset_name = 'city' AND live
