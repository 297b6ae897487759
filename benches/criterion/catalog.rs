//! Opening a catalog: the newest checkpoint and the commits after it, replayed.

use basin_benches::many::{Size, make};
use basin_catalog::{Catalog, Store};
use criterion::{BenchmarkId, Criterion};
use tokio::runtime::Runtime;

const SIZES: [Size; 3] = [
    Size { datasets: 10, versions_each: 10 },
    Size { datasets: 100, versions_each: 10 },
    Size { datasets: 1000, versions_each: 10 },
];

pub(crate) fn opening(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("open a catalog");
    group.sample_size(20);
    for size in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().display().to_string();
        runtime.block_on(make(Store::create(&url).unwrap(), size)).unwrap();
        group.bench_function(BenchmarkId::from_parameter(format!("{} datasets", size.datasets)), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                Catalog::open(Store::open(&url).unwrap()).await.unwrap().latest().await.unwrap()
            });
        });
    }
    group.finish();
}
