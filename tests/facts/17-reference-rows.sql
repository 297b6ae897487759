-- division codes; divisions of 2023 (provinces, cities, counties); nodes, of them with a node id; place names
-- expect: 3212, 31, 342, 2978, 35, 32, 651
SELECT (SELECT count(*) FROM ref.region) AS regions, (SELECT count(*) FROM ref.province) AS provinces,
       (SELECT count(*) FROM ref.city) AS cities, (SELECT count(*) FROM ref.county) AS counties,
       (SELECT count(*) FROM ref.provincial_nodes) AS places, (SELECT count(node_id) FROM ref.provincial_nodes) AS nodes,
       (SELECT count(*) FROM ref.place_name) AS names
