//! A delivery of CSV: hashed, decoded, checked and sorted, but not written (a dry run).

use std::fs::File;
use std::io::BufWriter;

use basin_benches::many::{Size, make};
use basin_benches::visits::{self, Arrival};
use basin_catalog::{Change, Store};
use basin_datasets::{Manifest, PoolRequest, Progress, pool};
use criterion::{Criterion, Throughput};
use tokio::runtime::Runtime;

const ROWS: u64 = 100_000;

pub(crate) fn decoding(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("visits.csv");
    visits::write(&mut BufWriter::new(File::create(&file).unwrap()), ROWS, Arrival::Shuffled).unwrap();
    let store = folder.path().join("store").display().to_string();
    let manifest = Manifest::parse(visits::MANIFEST).unwrap();
    let definition = manifest.definition().clone();
    let request = PoolRequest {
        datasets: vec![definition.name.clone()],
        files: vec![file.clone()],
        provider: definition.entry.provider.clone(),
        kind: None,
        dry_run: true,
        memory_bytes: PoolRequest::DEFAULT_MEMORY_BYTES,
        threads: 2,
        author: "benchmark".to_owned(),
    };
    let catalog = runtime.block_on(async {
        let empty = Size { datasets: 0, versions_each: 0 };
        let catalog = make(Store::create(&store).unwrap(), empty).await.unwrap();
        let snapshot = catalog.latest().await.unwrap();
        catalog
            .commit(&snapshot, "benchmark", vec![Change::ApplyDataset(Box::new(definition))])
            .await
            .unwrap();
        catalog
    });
    let mut group = criterion.benchmark_group("delivery");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(file.metadata().unwrap().len()));
    group.bench_function("decode, check and sort CSV", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            pool(&catalog, request.clone(), &Progress::default()).await.unwrap();
        });
    });
    group.finish();
}
