//! Advice from queries as people write them.

use super::observe::observe;
use super::*;
use basin_catalog::DatasetDefinition;
use serde_json::json;

fn definition() -> DatasetDefinition {
    let item = |name: &str, of: &str| {
        json!({ "name": name, "label": {}, "description": {}, "type": of, "unit": null,
        "nullable": true, "role": "attribute", "grade": "general-1", "code_list": null, "missing": {}, "mask": null })
    };
    let text = json!({
        "name": "health.city",
        "entry": {
            "resource_code": "306001/000003", "name": { "en": "cities" }, "abstract": { "en": "cities" },
            "provider": "11100000990000025W", "formats": ["csv"], "share_type": "unconditional",
            "share_modes": ["query"], "open_type": "open", "update_cycle": "day", "issued": "2020-01-19",
            "modified": null, "related_codes": [], "region": null, "grade": "general-1", "licence": "MIT",
            "attribution": null, "quality": [], "node_id": null,
        },
        "items": [item("day", "date"), item("city", "text"), item("province", "text"), item("cases", "uint32")],
        "layout": { "key": ["day", "city"], "sort": ["day"], "partition": [], "slice": [] },
        "manifest": "",
    });
    serde_json::from_value(text).unwrap()
}

fn all() -> BTreeSet<String> {
    ["day", "city", "province", "cases"].map(str::to_owned).into()
}

fn asked(sql: &str) -> Asked {
    Asked { sql: sql.to_owned(), items: all(), took: Duration::from_millis(500) }
}

fn filters(sql: &str) -> Vec<(String, Filter)> {
    observe(sql, &definition(), &all()).unwrap().filters.into_iter().collect()
}

fn one(item: &str, filter: Filter) -> Vec<(String, Filter)> {
    vec![(item.to_owned(), filter)]
}

#[test]
fn filters_are_told_by_their_kind() {
    for (condition, expected) in [
        ("city = 'x'", one("city", Filter::Equal)),
        ("'x' = c.city", one("city", Filter::Equal)),
        ("City IN ('x', 'y')", one("city", Filter::Equal)),
        ("city = $1 OR city = $2", one("city", Filter::Equal)),
        ("city = 'x' OR day > '2020-01-01'", vec![]),
        ("CAST(day AS date) BETWEEN DATE '2020-01-01' AND DATE '2020-02-01'", one("day", Filter::Range)),
        ("city LIKE '武%'", one("city", Filter::Range)),
        ("city LIKE '%武'", vec![]),
        ("city <> 'x'", vec![]),
        ("NOT city = 'x'", vec![]),
        ("length(city) = 3", vec![]),
        ("city = province", vec![]),
        ("other.city = 'x'", vec![]),
    ] {
        assert_eq!(
            filters(&format!("SELECT cases FROM health.city c WHERE {condition}")),
            expected,
            "{condition}"
        );
    }
    assert_eq!(
        filters(
            "SELECT 1 FROM places p JOIN basin.health.city ON p.code = city.city WHERE city.day >= '2020-01-01'"
        ),
        [("city".to_owned(), Filter::Join), ("day".to_owned(), Filter::Range)]
    );
    assert_eq!(
        filters("SELECT * FROM places WHERE code IN (SELECT city FROM health.city WHERE province = 'x')"),
        one("province", Filter::Equal)
    );
    let unrecorded = observe("SELECT 1 FROM health.city WHERE city = 'x'", &definition(), &BTreeSet::new());
    assert!(unrecorded.unwrap().filters.is_empty(), "only what the record names is believed");
    assert!(observe("-- Substrait plan of 90 bytes", &definition(), &all()).is_none());
}

#[test]
fn the_items_that_are_filtered_most_come_first() {
    let mut queries = vec![asked("SELECT sum(cases) FROM health.city WHERE city = 'x'"); 8];
    queries.extend(vec![asked("SELECT * FROM health.city WHERE day = '2020-01-01'"); 2]);
    let (definition, bloom) = (definition(), BTreeSet::new());
    let dataset = LaidOut { definition: &definition, version: None, bloom: &bloom };
    let advice = advise(dataset, &queries);
    assert_eq!((advice.queries, advice.understood, advice.items[0].queries), (10, 10, 8));
    let sort = advice.sort.unwrap();
    assert_eq!((sort.items, sort.now), (vec!["city".to_owned(), "day".to_owned()], vec!["day".to_owned()]));
    assert!(sort.because.contains("city in 8 of 10 queries (equal 8)"), "{}", sort.because);
    assert!(advice.bloom.is_none(), "items of the key have bloom filters");
    // What is sorted so already needs no advice.
    assert!(advise(dataset, &queries[8..]).sort.is_none());
    assert!(advise(dataset, &[]).sort.is_none());
}

#[test]
fn looked_up_items_get_bloom_filters_and_large_shares_files() {
    let queries = vec![asked("SELECT * FROM health.city WHERE province = 'x' AND day > '2020-01-01'"); 4];
    let (definition, bloom) = (definition(), BTreeSet::new());
    let version = |provinces: u64| -> DatasetVersion {
        serde_json::from_value(json!({
            "number": 1, "table_version": 0, "rejects_version": null, "rows": 100_000_000_u64, "bytes": 1, "files": 1,
            "published_at": "2020-01-01T00:00:00Z", "delivery": null, "definition_revision": 1,
            "distinct": { "province": provinces, "day": 300 },
        }))
        .unwrap()
    };
    let (many, few) = (version(5_000_000), version(34));
    let advice = advise(LaidOut { definition: &definition, version: Some(&many), bloom: &bloom }, &queries);
    assert_eq!(advice.bloom.unwrap().items, ["province"]);
    let sort = advice.sort.map(|sort| sort.items).unwrap_or_default();
    assert_eq!(
        (advice.partition, sort),
        (None, vec!["day".to_owned(), "province".to_owned()]),
        "fewer values first"
    );
    let advice = advise(LaidOut { definition: &definition, version: Some(&few), bloom: &bloom }, &queries);
    assert_eq!((advice.bloom, advice.partition.unwrap().items), (None, vec!["province".to_owned()]));
    assert_eq!(advice.sort.unwrap().items, ["province", "day"]);
}

#[test]
fn repeated_aggregations_become_one_rollup() {
    let queries = [
        asked("SELECT province, sum(cases) AS n FROM health.city GROUP BY province ORDER BY n"),
        asked("SELECT province AS p, avg(cases), count(*) FROM health.city WHERE city = 'x' GROUP BY p"),
        asked("SELECT date_trunc('month', day), max(cases) FROM health.city GROUP BY 1"),
        asked("SELECT date_trunc('month', day), max(cases) FROM health.city GROUP BY 1"),
        asked("SELECT province, count(DISTINCT city) FROM health.city GROUP BY province"),
        asked("SELECT cases + 1, count(*) FROM health.city GROUP BY cases + 1"),
        asked("SELECT count(*) FROM health.city"),
    ];
    let (definition, bloom) = (definition(), BTreeSet::new());
    let advice = advise(LaidOut { definition: &definition, version: None, bloom: &bloom }, &queries);
    let told: Vec<_> = advice
        .rollups
        .iter()
        .map(|rollup| (rollup.dimensions.join(","), rollup.measures.join(","), rollup.queries))
        .collect();
    assert_eq!(
        told,
        [
            ("city,province".to_owned(), "count(*),count(cases),sum(cases)".to_owned(), 2),
            ("month(day)".to_owned(), "max(cases)".to_owned(), 2),
        ]
    );
}
