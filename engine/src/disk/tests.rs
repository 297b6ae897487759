use super::*;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A store that counts the requests for ranges.
#[derive(Debug)]
struct Counting {
    inner: InMemory,
    reads: AtomicUsize,
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counting")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.get_opts(path, options).await
    }

    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

struct Bed {
    folder: tempfile::TempDir,
    store: Arc<Counting>,
}

impl Bed {
    async fn new() -> Self {
        let store = Counting { inner: InMemory::new(), reads: AtomicUsize::new(0) };
        store.put(&file(), content().into()).await.unwrap();
        Self { folder: tempfile::tempdir().unwrap(), store: Arc::new(store) }
    }

    fn open(&self, capacity: u64) -> DiskCached {
        let shelf = Shelf::open(self.folder.path(), "s3://bucket", capacity).unwrap();
        DiskCached::new(Arc::clone(&self.store) as _, Arc::new(shelf))
    }

    fn reads(&self) -> usize {
        self.store.reads.load(Ordering::SeqCst)
    }

    fn files(&self) -> Vec<PathBuf> {
        let parts = fs::read_dir(self.folder.path()).unwrap().map(|part| part.unwrap().path());
        let files = parts.flat_map(|part| fs::read_dir(part).unwrap().map(|file| file.unwrap().path()));
        files.filter(|file| file.file_name().unwrap() != "lock").collect()
    }
}

fn file() -> Path {
    Path::from("data/health/city/part-1.parquet")
}

fn content() -> Vec<u8> {
    part(&(0..4_000_000))
}

fn part(range: &Range<u64>) -> Vec<u8> {
    range.clone().map(|at| (at % 251) as u8).collect()
}

/// Reads ranges, checks each, and waits until they are kept.
async fn read(cached: &DiskCached, ranges: &[Range<u64>]) {
    let found = cached.get_ranges(&file(), ranges).await.unwrap();
    assert_eq!(found.len(), ranges.len());
    for (bytes, range) in found.iter().zip(ranges) {
        assert!(bytes == &part(range), "{range:?}");
    }
    let all = u32::try_from(WRITES_AT_ONCE).unwrap();
    drop(cached.writes.acquire_many(all).await.unwrap());
}

#[tokio::test]
async fn ranges_are_read_once_also_after_a_restart() {
    let bed = Bed::new().await;
    let cached = bed.open(64 << 20);
    let (near, far) = ([100..200, 300..5_000], [100..200, 3_000_000..3_500_000, 300..5_000]);
    read(&cached, &near).await;
    assert_eq!(bed.reads(), 1, "near ranges are joined");
    read(&cached, &near).await;
    assert_eq!(bed.reads(), 1);
    read(&cached, &far).await;
    assert_eq!(bed.reads(), 2, "only what is missing is read");
    let figures = cached.shelf.figures();
    assert_eq!((figures.entries, figures.hits), (3, 4));
    drop(cached);
    read(&bed.open(64 << 20), &far).await;
    assert_eq!(bed.reads(), 2);
    let other = Shelf::open(&bed.folder.path().join("other"), "s3://other", 1 << 20).unwrap();
    assert!(other.read(&file(), &(100..200)).is_none());
}

#[tokio::test]
async fn damaged_files_give_no_bytes() {
    let bed = Bed::new().await;
    let cached = bed.open(64 << 20);
    let range = 1_000..9_000;
    read(&cached, std::slice::from_ref(&range)).await;
    let whole = fs::read(&bed.files()[0]).unwrap();
    let mut reads = bed.reads();
    let flipped = (0..whole.len()).step_by(97).map(|at| {
        let mut copy = whole.clone();
        copy[at] ^= 1;
        copy
    });
    let cut = [0, 10, 60, whole.len() - 1].map(|length| whole[..length].to_vec());
    for damaged in flipped.chain(cut).chain([[whole.as_slice(), b"x"].concat()]) {
        fs::write(&bed.files()[0], damaged).unwrap();
        read(&cached, std::slice::from_ref(&range)).await;
        reads += 1;
        assert_eq!(bed.reads(), reads, "a damaged file was used");
    }
    assert_eq!(fs::read(&bed.files()[0]).unwrap(), whole);
}

#[tokio::test]
async fn another_file_of_the_same_name_is_not_answered_from_the_old_one() {
    let bed = Bed::new().await;
    let cached = bed.open(64 << 20);
    read(&cached, &[0..10, 2_000_000..2_000_010]).await;
    let changed: Vec<u8> = content().iter().map(|byte| byte ^ 1).collect();
    bed.store.put(&file(), changed.clone().into()).await.unwrap();
    // A range that was not kept shows the change.
    cached.get_ranges(&file(), std::slice::from_ref(&(3_900_000..3_900_010))).await.unwrap();
    let found = cached.get_ranges(&file(), std::slice::from_ref(&(0..10))).await.unwrap();
    assert!(found[0] == changed[..10]);
}

#[tokio::test]
async fn the_bytes_on_disk_are_bounded() {
    const CAPACITY: u64 = 4 << 20;
    let bed = Bed::new().await;
    let cached = bed.open(CAPACITY);
    for at in 0..150 {
        read(&cached, std::slice::from_ref(&(at * 20_000..at * 20_000 + 100_000))).await;
    }
    let bytes: u64 = bed.files().iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes <= CAPACITY && bytes > CAPACITY / 4, "{bytes} of {CAPACITY}");
    assert_eq!(bytes, cached.shelf.figures().bytes);
    drop(cached);
    let smaller = bed.open(CAPACITY / 4);
    let left: u64 = bed.files().iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(left <= CAPACITY / 4 && smaller.shelf.figures().bytes == left, "{left}");
}

#[tokio::test]
async fn processes_share_a_folder_without_sharing_files() {
    let bed = Bed::new().await;
    let (first, second) = (bed.open(1 << 20), bed.open(1 << 20));
    read(&first, std::slice::from_ref(&(0..10))).await;
    read(&second, std::slice::from_ref(&(0..10))).await;
    assert_eq!((bed.reads(), bed.files().len()), (2, 2));
}

#[tokio::test]
async fn only_data_files_are_kept() {
    let bed = Bed::new().await;
    let cached = bed.open(1 << 20);
    for (path, is_kept) in [
        ("data/health/city/day=2020-01-01/part.parquet", true),
        ("rejects/health/city/part.parquet", true),
        ("rollups/health/city/weekly/part.parquet", true),
        ("data/health/city/_delta_log/00000000000000000010.checkpoint.parquet", false),
        ("data/health/city/_distinct/1.bin", false),
        ("audit/day=2020-01-01/part.parquet", false),
        ("catalog/log/00000000000000000001.json", false),
    ] {
        assert_eq!(is_data_file(&Path::from(path)), is_kept, "{path}");
    }
    let log = Path::from("data/health/city/_delta_log/0.json");
    bed.store.put(&log, content().into()).await.unwrap();
    cached.get_ranges(&log, std::slice::from_ref(&(0..10))).await.unwrap();
    assert!(bed.files().is_empty());
    let listed: Vec<ObjectMeta> = cached.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 2);
}
