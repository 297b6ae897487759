-- the Xinjiang Corps is a node without a region code; leading zeros and codes are text
-- expect: xpcc, NULL, 兵团
SELECT node_id, region_code, short_name_zh FROM ref.provincial_nodes WHERE kind = 'corps'
