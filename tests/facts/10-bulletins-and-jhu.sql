-- province-days with a bulletin figure and a JHU figure; equal; bulletin of day D = JHU of day D+1
-- expect: 513, 129, 332
SELECT count(*),
       sum(CASE WHEN b.confirmed = same_day.confirmed THEN 1 ELSE 0 END),
       sum(CASE WHEN b.confirmed = day_after.confirmed THEN 1 ELSE 0 END)
FROM (
    SELECT p.date, n.jhu_name, max(p.confirmed) AS confirmed
    FROM health.provincial AS p
    JOIN ref.provincial_nodes AS n ON n.region_code = p.province_code
    WHERE p.bulletin_date IS NOT NULL AND p.confirmed IS NOT NULL
    GROUP BY p.date, n.jhu_name
) AS b
JOIN jhu.series AS same_day ON same_day.country = 'China' AND same_day.province = b.jhu_name AND same_day.date = b.date
LEFT JOIN jhu.series AS day_after
    ON day_after.country = 'China' AND day_after.province = b.jhu_name AND day_after.date = b.date + INTERVAL '1 day'
