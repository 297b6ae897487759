-- of the 513: bulletin = The Paper's cumulated new cases of the same day; of day D+1
-- expect: 513, 99, 363
SELECT count(*),
       sum(CASE WHEN confirmed = same_day THEN 1 ELSE 0 END),
       sum(CASE WHEN confirmed = next_day THEN 1 ELSE 0 END)
FROM (
    SELECT b.date, b.short_name_zh, b.confirmed,
           sum(CASE WHEN d.date <= b.date THEN d.new_confirmed END) AS same_day,
           sum(d.new_confirmed) AS next_day
    FROM (
        SELECT p.date, n.short_name_zh, n.jhu_name, max(p.confirmed) AS confirmed
        FROM health.provincial AS p
        JOIN ref.provincial_nodes AS n ON n.region_code = p.province_code
        WHERE p.bulletin_date IS NOT NULL AND p.confirmed IS NOT NULL
        GROUP BY p.date, n.short_name_zh, n.jhu_name
    ) AS b
    JOIN jhu.series AS j ON j.country = 'China' AND j.province = b.jhu_name AND j.date = b.date
    LEFT JOIN paper.daily AS d ON d.place = b.short_name_zh AND d.date <= b.date + INTERVAL '1 day'
    GROUP BY b.date, b.short_name_zh, b.confirmed
) AS compared
