//! Attacker: takes what a result with margins shows, and tries to compute what it withholds.
//!
//! It knows of a withheld count that it is from 1 to k-1 (A) or k and more (D), that nothing is negative, and that groups
//! of two sets add up to the same wherever both group by the same values. A withheld cell is found when all that leaves it
//! less than 1 to vary in.
//!
//! Long because tables, their publication and the attack on it make one argument.

use crate::choices::Choices;
use crate::support::{account, health, statistics, text, user};
use crate::worlds::write;
use basin_catalog::{
    AsOf, Catalog, Change, DatasetDefinition, DatasetName, DatasetVersion, Item, ItemRole, Layout,
    MinimumCell, Node, NodeKind, Organisation, Publication, Share, Store, Terms,
};
use basin_engine::{Engine, EngineConfig, Query, QueryId, QueryOptions, QueryRequest};
use chrono::Utc;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use futures::TryStreamExt;
use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const K: u32 = 5;
const DIMENSIONS: [&str; 4] = ["d0", "d1", "d2", "d3"];
/// A real number that an exact programme would give may be a little off.
const SLACK: f64 = 1e-6;

/// A table of groups, and how it is asked.
struct Case {
    name: String,
    dimensions: usize,
    weighted: bool,
    /// Values of the dimensions, units, income.
    rows: Vec<(Vec<usize>, i64, i64)>,
    /// What stands in GROUP BY.
    by: String,
}

fn columns(dimensions: usize) -> String {
    DIMENSIONS[..dimensions].join(", ")
}

/// A sparse table at random.
fn random(number: usize) -> Case {
    let mut choices = Choices::seeded(0xA77A_C4E2 + number as u64);
    let dimensions = 2 + choices.below(3);
    let sizes: Vec<usize> = (0..dimensions)
        .map(|_| 2 + choices.below(if dimensions == 2 { 5 } else { 6 - dimensions }))
        .collect();
    let all: usize = sizes.iter().product();
    let mut rows = Vec::new();
    for cell in 0..all {
        let mut rest = cell;
        let at: Vec<usize> = sizes
            .iter()
            .map(|size| {
                let at = rest % size;
                rest /= size;
                at
            })
            .collect();
        let units = match choices.below(10) {
            0..=3 => 0,
            4..=5 => 1 + choices.below(4),
            _ => 5 + choices.below(30),
        };
        if units > 0 {
            rows.push((at, i64::try_from(units).unwrap(), i64::try_from(choices.below(50) * units).unwrap()));
        }
    }
    if rows.is_empty() {
        rows.push((vec![0; dimensions], 9, 9));
    }
    let by = match choices.below(4) {
        0 | 1 => format!("CUBE ({})", columns(dimensions)),
        2 => format!("ROLLUP ({})", columns(dimensions)),
        _ => {
            let sets: BTreeSet<usize> =
                (0..2 + choices.below(4)).map(|_| choices.below(1 << dimensions)).collect();
            let set = |set: &usize| {
                let columns: Vec<&str> =
                    (0..dimensions).filter(|at| set & (1 << at) != 0).map(|at| DIMENSIONS[at]).collect();
                format!("({})", columns.join(", "))
            };
            let mut sets: Vec<String> = sets.iter().map(set).collect();
            sets.push(format!("({})", columns(dimensions)));
            format!("GROUPING SETS ({})", sets.join(", "))
        }
    };
    Case { name: format!("random{number}"), dimensions, weighted: choices.below(3) == 0, rows, by }
}

/// Exactly one small cell in each line: a few men of each region.
fn sex_slice(by: &str, name: &str, small: i64) -> Case {
    let cells = (0..9).flat_map(|region| {
        [(vec![region, 0], 20 + 7 * region as i64), (vec![region, 1], small + region as i64 % (5 - small))]
    });
    let rows = cells.map(|(at, units)| (at, units, units * 10)).collect();
    Case { name: name.to_owned(), dimensions: 2, weighted: false, rows, by: by.to_owned() }
}

fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = (0..193).map(random).collect();
    all.push(sex_slice("CUBE (d0, d1)", "slice_cube", 1));
    all.push(sex_slice("ROLLUP (d0, d1)", "slice_rollup", 2));
    all.push(sex_slice("GROUPING SETS ((d0, d1), (d1))", "slice_sets", 1));
    all.push(sex_slice("GROUPING SETS ((d0), (d1))", "slice_apart", 1));
    all.push(sex_slice("CUBE (d0, d1)", "slice_fours", 4));
    // Two small cells that only make up their sum in one way; and a line that one other set gives away.
    let plain = |cells: &[(usize, usize, i64)]| {
        cells.iter().map(|(a, b, units)| (vec![*a, *b], *units, units * 3)).collect()
    };
    let fours = plain(&[(0, 0, 4), (0, 1, 4), (0, 2, 50), (1, 0, 30), (1, 1, 40), (1, 2, 60)]);
    all.push(Case {
        name: "fours".to_owned(),
        dimensions: 2,
        weighted: false,
        rows: fours,
        by: "CUBE (d0, d1)".to_owned(),
    });
    let apart = plain(&[(0, 0, 1), (0, 1, 2), (1, 0, 30), (1, 1, 40), (2, 0, 8), (2, 1, 9)]);
    all.push(Case {
        name: "apart".to_owned(),
        dimensions: 2,
        weighted: false,
        rows: apart,
        by: "GROUPING SETS ((d0), (d1))".to_owned(),
    });
    all
}

impl Case {
    fn batch(&self) -> RecordBatch {
        let mut columns: Vec<Vec<String>> = vec![vec![]; self.dimensions];
        let (mut ids, mut weights, mut incomes) = (vec![], vec![], vec![]);
        for (at, units, income) in &self.rows {
            let each = if self.weighted { 1 } else { *units };
            for number in 0..each {
                for (column, value) in columns.iter_mut().zip(at) {
                    column.push(format!("v{value}"));
                }
                ids.push(format!("u{}", ids.len()));
                weights.push(if self.weighted { *units } else { 1 });
                incomes.push(if number == 0 { income - (each - 1) * (income / each) } else { income / each });
            }
        }
        let mut arrays: Vec<ArrayRef> =
            columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
        arrays.push(Arc::new(StringArray::from(ids)));
        arrays.push(Arc::new(Int64Array::from(weights)));
        arrays.push(Arc::new(Int64Array::from(incomes)));
        let names = DIMENSIONS[..self.dimensions].iter().copied().chain(["id", "weight", "income"]);
        let fields: Vec<Field> = names
            .zip(&arrays)
            .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
            .collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
    }

    fn definition(&self, sequence: u32) -> DatasetDefinition {
        let mut definition =
            crate::support::definition(&format!("health.{}", self.name), Share::Unconditional, sequence);
        let like = definition.items[0].clone();
        let item = |name: &str, kind: &str, role| Item {
            name: name.parse().unwrap(),
            label: text(name),
            r#type: kind.parse().unwrap(),
            nullable: true,
            role,
            ..like.clone()
        };
        definition.items = DIMENSIONS[..self.dimensions]
            .iter()
            .map(|name| item(name, "text", ItemRole::Dimension))
            .collect();
        let (unit, weight) = if self.weighted {
            (ItemRole::Key, ItemRole::UnitWeight)
        } else {
            (ItemRole::UnitId, ItemRole::Attribute)
        };
        definition.items.push(item("id", "text", unit));
        definition.items.push(item("weight", "int64", weight));
        definition.items.push(item("income", "int64", ItemRole::Measure));
        definition.layout = Layout::default();
        definition.terms = Terms { rows: None, minimum_cell: Some(MinimumCell { k: K, round_to: None }) };
        definition
    }

    /// Ways to count units, alone and beside a sum.
    fn measures(&self) -> &'static [&'static str] {
        if self.weighted {
            &["sum(weight) AS n", "sum(weight) AS n, sum(income) AS s"]
        } else {
            &[
                "count(*) AS n",
                "count(DISTINCT id) AS n, sum(income) AS s",
                "count(id) AS n, avg(income) AS x",
            ]
        }
    }
}

/// A world with all tables.
async fn world(cases: &[Case]) -> Engine {
    let store = Store::open("memory://").unwrap();
    let node = Node { id: "hub".parse().unwrap(), kind: NodeKind::Hub, name: text("hub"), region: None };
    let catalog = Catalog::create(store.clone(), node).await.unwrap();
    let organisation = |code| {
        Change::PutOrganisation(Organisation { code, name: text("an agency"), region: None, node: None })
    };
    let mut changes = vec![
        organisation(health()),
        organisation(statistics()),
        Change::PutUser(account("ann", Some(statistics()), &[])),
    ];
    for (case, sequence) in cases.iter().zip(1..) {
        let (batch, name) = (case.batch(), format!("health.{}", case.name).parse::<DatasetName>().unwrap());
        changes.push(Change::ApplyDataset(Box::new(case.definition(sequence))));
        write(&store, &store.data_path(&name), std::slice::from_ref(&batch)).await;
        let version = DatasetVersion {
            number: 1,
            table_version: 0,
            rejects_version: None,
            rows: batch.num_rows() as u64,
            bytes: 1,
            files: 1,
            published_at: Utc::now(),
            delivery: None,
            definition_revision: 1,
            distinct: BTreeMap::new(),
        };
        changes.push(Change::Publish(Box::new(Publication {
            dataset: name,
            base_version: 0,
            version,
            delivery: None,
        })));
    }
    let base = catalog.latest().await.unwrap();
    catalog.commit(&base, "test", changes).await.unwrap();
    Engine::new(catalog, EngineConfig { target_partitions: 1, ..EngineConfig::default() }).unwrap()
}

async fn ask(engine: &Engine, sql: &str) -> RecordBatch {
    let request = QueryRequest {
        query_id: QueryId::new(),
        principal: user("ann", Some(statistics())),
        query: Query::Sql(sql.to_owned()),
        as_of: AsOf::Latest,
        parameters: vec![],
        options: QueryOptions::default(),
    };
    let planned = engine.plan(request).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let stream = planned.authorize().await.unwrap().admit().await.unwrap().execute().unwrap();
    let schema = stream.schema();
    let batches: Vec<RecordBatch> =
        stream.try_collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    concat_batches(&schema, &batches).unwrap()
}

/// A group of a result: a value in each dimension that it is grouped by.
type Key = Vec<Option<String>>;

/// What is shown of a measure: each group's value, or why it is withheld.
fn published(result: &RecordBatch, dimensions: usize, measure: &str) -> BTreeMap<Key, Result<f64, u8>> {
    let column = |name: &str| {
        result.column_by_name(name).unwrap_or_else(|| panic!("no {name} in {:?}", result.schema()))
    };
    let values = cast(column(measure), &DataType::Int64).unwrap();
    let marks = cast(column(&format!("{measure}__conf")), &DataType::Utf8).unwrap();
    let keys: Vec<ArrayRef> =
        (0..dimensions).map(|at| cast(result.column(at), &DataType::Utf8).unwrap()).collect();
    (0..result.num_rows())
        .map(|row| {
            let key = keys
                .iter()
                .map(|key| key.is_valid(row).then(|| key.as_string::<i32>().value(row).to_owned()))
                .collect();
            let shown = match marks.as_string::<i32>().value(row) {
                "F" => Ok(values.as_primitive::<Int64Type>().value(row) as f64),
                mark => {
                    assert!(values.is_null(row), "a withheld value is shown: {result:?}");
                    Err(mark.as_bytes()[0])
                }
            };
            (key, shown)
        })
        .collect()
}

/// The withheld cells as unknowns, and the sums they are in.
struct Programme {
    cells: Vec<Key>,
    bounds: Vec<(f64, f64)>,
    sums: Vec<(Vec<(usize, f64)>, f64)>,
}

impl Programme {
    fn of(shown: &BTreeMap<Key, Result<f64, u8>>, counts: bool) -> Self {
        let withheld = || shown.iter().filter_map(|(key, value)| Some((key, value.err()?)));
        let cells: Vec<Key> = withheld().map(|(key, _)| key.clone()).collect();
        let bounds = withheld().map(|(_, mark)| match mark {
            b'A' if counts => (1.0, f64::from(K - 1)),
            b'D' if counts => (f64::from(K), f64::INFINITY),
            _ => (0.0, f64::INFINITY),
        });
        let bounds = bounds.collect();
        let set = |key: &Key| key.iter().map(Option::is_some).collect::<Vec<bool>>();
        let sets: BTreeSet<Vec<bool>> = shown.keys().map(set).collect();
        let mut sums = Vec::new();
        for one in &sets {
            for other in sets.iter().filter(|other| *other > one) {
                let mut by_key: BTreeMap<Key, (Vec<(usize, f64)>, f64)> = BTreeMap::new();
                for (key, value) in shown {
                    let sign = if set(key) == *one {
                        1.0
                    } else if set(key) == *other {
                        -1.0
                    } else {
                        continue;
                    };
                    let common = key
                        .iter()
                        .zip(one.iter().zip(other))
                        .map(|(value, (a, b))| value.clone().filter(|_| *a && *b));
                    let sum = by_key.entry(common.collect()).or_default();
                    match value {
                        Ok(value) => sum.1 -= sign * value,
                        Err(_) => sum.0.push((cells.binary_search(key).unwrap(), sign)),
                    }
                }
                sums.extend(by_key.into_values().filter(|(terms, _)| !terms.is_empty()));
            }
        }
        Self { cells, bounds, sums }
    }

    /// The values that are possible and go furthest in a direction; none when there is no end.
    fn furthest(&self, direction: &[f64]) -> Option<Vec<f64>> {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let variables: Vec<Variable> = direction
            .iter()
            .zip(&self.bounds)
            .map(|(weight, bounds)| problem.add_var(*weight, *bounds))
            .collect();
        for (terms, given) in &self.sums {
            let terms: Vec<(Variable, f64)> =
                terms.iter().map(|(at, sign)| (variables[*at], *sign)).collect();
            problem.add_constraint(&terms, ComparisonOp::Eq, *given);
        }
        match problem.solve() {
            Ok(outcome) => {
                let Ok(solution) = outcome.into_solution() else { panic!("the programme was not solved") };
                Some(variables.iter().map(|variable| solution.var_value(*variable)).collect())
            }
            Err(microlp::Error::Unbounded) => None,
            Err(error) => panic!("what is published contradicts itself: {error}"),
        }
    }

    /// The withheld cells that are known to less than 1.
    fn found(&self) -> Vec<String> {
        let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); self.cells.len()];
        let mut found = Vec::new();
        let narrow = |range: &(f64, f64)| range.1 - range.0 < 1.0 - SLACK;
        for at in 0..self.cells.len() {
            for sign in [1.0, -1.0] {
                if !narrow(&ranges[at]) {
                    continue;
                }
                let mut direction = vec![0.0; self.cells.len()];
                direction[at] = sign;
                match self.furthest(&direction) {
                    Some(values) => {
                        for (range, value) in ranges.iter_mut().zip(values) {
                            *range = (range.0.min(value), range.1.max(value));
                        }
                    }
                    None => ranges[at] = (f64::NEG_INFINITY, f64::INFINITY),
                }
            }
            if narrow(&ranges[at]) {
                found.push(format!("{:?} is from {} to {}", self.cells[at], ranges[at].0, ranges[at].1));
            }
        }
        found
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_withheld_cell_follows_from_a_result() {
    let cases = cases();
    let engine = world(&cases).await;
    let (mut cells, mut small, mut beside) = (0, 0, 0);
    let mut holes = Vec::new();
    for case in &cases {
        for measures in case.measures() {
            let sql = format!(
                "SELECT {}, {measures} FROM health.{} GROUP BY {}",
                columns(case.dimensions),
                case.name,
                case.by
            );
            let result = ask(&engine, &sql).await;
            let counts = published(&result, case.dimensions, "n");
            cells += counts.len();
            small += counts.values().filter(|value| **value == Err(b'A')).count();
            beside += counts.values().filter(|value| **value == Err(b'D')).count();
            let mut found = Programme::of(&counts, true).found();
            if result.column_by_name("s").is_some() {
                found.extend(Programme::of(&published(&result, case.dimensions, "s"), false).found());
            }
            if !found.is_empty() {
                holes.push(format!("{sql}\n  {:?}\n  {}", case.rows, found.join("\n  ")));
            }
        }
    }
    println!(
        "{} tables: {cells} cells, {small} small, {beside} withheld beside them ({:.1} %)",
        cases.len(),
        100.0 * beside as f64 / cells as f64
    );
    assert!(small > 100 && beside > 0);
    assert!(
        holes.is_empty(),
        "{} of the results give cells away:\n{}",
        holes.len(),
        holes.iter().take(5).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// The attacker itself is tested: without the cells that are withheld beside the small ones it finds them.
#[test]
fn the_attacker_finds_what_is_not_protected() {
    let key = |a: Option<&str>, b: Option<&str>| vec![a.map(ToOwned::to_owned), b.map(ToOwned::to_owned)];
    let shown = BTreeMap::from([
        (key(Some("x"), Some("f")), Ok(20.0)),
        (key(Some("x"), Some("m")), Err(b'A')),
        (key(Some("x"), None), Ok(23.0)),
    ]);
    assert_eq!(Programme::of(&shown, true).found().len(), 1);
    let fours = BTreeMap::from([
        (key(Some("x"), Some("f")), Err(b'A')),
        (key(Some("x"), Some("m")), Err(b'A')),
        (key(Some("x"), None), Ok(8.0)),
    ]);
    assert_eq!(Programme::of(&fours, true).found().len(), 2);
    // Sets that only have their total in common.
    let apart = BTreeMap::from([
        (key(Some("x"), None), Err(b'A')),
        (key(Some("y"), None), Ok(30.0)),
        (key(None, Some("f")), Ok(20.0)),
        (key(None, Some("m")), Ok(13.0)),
    ]);
    assert_eq!(Programme::of(&apart, true).found().len(), 1);
}
