-- blank is unknown, not zero: figures left blank in the bulletins' provincial rows are NULL and sums skip them
-- expect: 641, 611, 300, 176
SELECT count(*), count(confirmed), count(cured), count(dead) FROM health.provincial
