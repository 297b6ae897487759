//! Planning: from the text of a statement to a plan under the rules of who asks. Nothing is read.

use std::path::Path;
use std::process::Command;

use basin_catalog::{AsOf, Catalog, Principal, Store};
use basin_engine::{Engine, EngineConfig, Query, QueryId, QueryOptions, QueryRequest};
use criterion::Criterion;
use tokio::runtime::Runtime;

const STATEMENTS: [(&str, &str); 4] = [
    ("SELECT 1", "SELECT 1"),
    ("a customer", "SELECT c_name FROM tpch.customer WHERE c_custkey = 7"),
    ("TPC-H Q5", include_str!("../../tests/tpch/queries/q05.sql")),
    ("TPC-H Q8", include_str!("../../tests/tpch/queries/q08.sql")),
];

/// Loads TPC-H by the binary that cargo built into the folder above this one's.
fn load(store: &Path) {
    let own = std::env::current_exe().unwrap();
    let basin = own.parent().and_then(Path::parent).unwrap().join("basin");
    assert!(basin.is_file(), "{} is missing: build it first, with the same profile", basin.display());
    let loaded =
        Command::new(basin).arg("--store").arg(store).args(["bench", "load", "--scale", "0.01"]).output();
    assert!(loaded.unwrap().status.success(), "basin bench load failed");
}

fn request(sql: &str) -> QueryRequest {
    QueryRequest {
        query_id: QueryId::new(),
        principal: Principal::operator(),
        query: Query::Sql(sql.to_owned()),
        as_of: AsOf::Latest,
        parameters: Vec::new(),
        options: QueryOptions::default(),
    }
}

pub(crate) fn planning(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    load(folder.path());
    let engine = runtime.block_on(async {
        let catalog =
            Catalog::open(Store::open(&folder.path().display().to_string()).unwrap()).await.unwrap();
        Engine::new(catalog, EngineConfig::default()).unwrap()
    });
    let mut group = criterion.benchmark_group("plan");
    for (name, sql) in STATEMENTS {
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| async { engine.plan(request(sql)).await.unwrap().withdraw() });
        });
    }
    group.finish();
    runtime.block_on(engine.close()).unwrap();
}
