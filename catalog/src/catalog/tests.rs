mod demands;
mod serial;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tokio::task::JoinSet;

use super::*;
use crate::access::Role;
use crate::definition::DatasetDefinition;
use crate::error::ErrorClass;
use crate::ids::{DeliveryId, Digest};
use crate::organisation::Organisation;
use crate::text::LocalText;
use crate::version::{DatasetVersion, Delivery, SliceKey};
use crate::vocabulary::NodeKind;
use crate::{Change, Publication};

const PROVIDER: &str = "91330100799655058B";

fn text(en: &str) -> LocalText {
    let mut text = LocalText::default();
    text.insert("en", en);
    text
}

fn node() -> Node {
    Node { id: "local".parse().unwrap(), kind: NodeKind::Hub, name: text("local"), region: None }
}

fn role(name: &str) -> Change {
    Change::PutRole(Role { name: name.parse().unwrap(), description: String::new() })
}

fn organisation() -> Change {
    let code = PROVIDER.parse().unwrap();
    Change::PutOrganisation(Organisation { code, name: text("provider"), region: None, node: None })
}

fn definition() -> DatasetDefinition {
    serde_json::from_value(serde_json::json!({
        "name": "health.city",
        "entry": {
            "resource_code": "306001/000003", "name": {"en": "cities"}, "abstract": {"en": "figures of cities"},
            "provider": PROVIDER, "formats": ["csv"], "share_type": "conditional", "share_condition": "by agreement",
            "share_modes": ["query"], "open_type": "closed", "update_cycle": "day", "issued": "2020-01-19",
            "modified": null, "related_codes": [], "region": null, "grade": "general-2", "licence": "MIT",
            "attribution": null, "quality": [], "node_id": null
        },
        "items": [
            {"name": "day", "type": "date", "nullable": false},
            {"name": "confirmed", "type": "int64", "grade": "general-2"}
        ],
        "layout": {"key": ["day"], "slice": ["day"]},
        "manifest": ""
    }))
    .unwrap()
}

fn define(definition: DatasetDefinition) -> Change {
    Change::ApplyDataset(Box::new(definition))
}

fn publication(base: u64) -> Change {
    let id = DeliveryId::fresh();
    let delivery = Delivery {
        id: id.clone(),
        digest: Digest::of(b"delivery"),
        provider: PROVIDER.parse().unwrap(),
        kind: "csv".to_owned(),
        received_at: Utc::now(),
        files: Vec::new(),
        slices: vec![SliceKey(vec![Some("2020-01-19".to_owned())])],
        rows_in: 3,
        rows_accepted: 2,
        rows_rejected: 1,
        rejected_by_rule: BTreeMap::new(),
        numbered_keys: 0,
    };
    let version = DatasetVersion {
        number: base + 1,
        table_version: base,
        rejects_version: None,
        rows: 2,
        bytes: 10,
        files: 1,
        published_at: Utc::now(),
        delivery: Some(id),
        definition_revision: 1,
        distinct: BTreeMap::new(),
    };
    let dataset = "health.city".parse().unwrap();
    Change::Publish(Box::new(Publication { dataset, base_version: base, version, delivery: Some(delivery) }))
}

async fn with_dataset(store: Store) -> (Catalog, Arc<Snapshot>) {
    let catalog = Catalog::create(store, node()).await.unwrap();
    let base = catalog.latest().await.unwrap();
    let defined = catalog.commit(&base, "test", vec![organisation(), define(definition())]).await.unwrap();
    (catalog, defined)
}

/// Eight catalogs on one store, fifty commits each: every commit is there once, in one order.
async fn writers_make_a_serial_history(store: Store) {
    let first = Catalog::create(store.clone(), node()).await.unwrap();
    let mut tasks = JoinSet::new();
    for writer in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let catalog = Catalog::open(store).await.unwrap();
            let mut base = catalog.latest().await.unwrap();
            for number in 0..50 {
                base = catalog
                    .commit(&base, "writer", vec![role(&format!("r{writer}-{number}"))])
                    .await
                    .unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(first.latest().await.unwrap().id(), SnapshotId(400));
    let reopened = Catalog::open(store).await.unwrap().latest().await.unwrap();
    assert_eq!((reopened.id(), reopened.roles().len()), (SnapshotId(400), 401));
    let history = first.history(1000).await.unwrap();
    let mut changes: Vec<&String> = history.iter().flat_map(|commit| &commit.changes).collect();
    assert_eq!(changes.len(), 401);
    changes.sort();
    changes.dedup();
    assert_eq!(changes.len(), 401);
    assert!(history.is_sorted_by(|a, b| a.snapshot > b.snapshot && a.at >= b.at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_in_memory_make_a_serial_history() {
    writers_make_a_serial_history(Store::open("memory://").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_on_disk_make_a_serial_history() {
    let folder = tempfile::tempdir().unwrap();
    writers_make_a_serial_history(Store::open(folder.path().to_str().unwrap()).unwrap()).await;
}

#[tokio::test]
async fn the_store_is_asked_once_for_all_that_came_before() {
    let store = Store::open("memory://").unwrap();
    let (catalog, base) = with_dataset(store.clone()).await;
    let other = Catalog::open(store).await.unwrap();
    let before = Instant::now();
    let known = other.latest_since(before).await.unwrap();
    let newer = catalog.commit(&base, "a", vec![role("new")]).await.unwrap();
    assert_eq!(other.latest_since(before).await.unwrap().id(), known.id());
    assert_eq!(other.latest_since(Instant::now()).await.unwrap().id(), newer.id());
    assert_eq!(other.latest_since(before).await.unwrap().id(), newer.id());
}

#[tokio::test]
async fn an_empty_store_holds_no_catalog() {
    let error = Catalog::open(Store::open("memory://").unwrap()).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotACatalog { .. }), "{error}");
}

#[tokio::test]
async fn a_conflict_is_a_later_commit_on_the_same_thing() {
    let (catalog, base) = with_dataset(Store::open("memory://").unwrap()).await;
    catalog.commit(&base, "a", vec![publication(0)]).await.unwrap();
    let error = catalog.commit(&base, "b", vec![publication(0)]).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Conflict);
    catalog.commit(&base, "b", vec![role("elsewhere")]).await.unwrap();
    let latest = catalog.latest().await.unwrap();
    let stale = catalog.commit(&latest, "b", vec![publication(0)]).await.unwrap_err();
    assert_eq!(stale.class(), ErrorClass::Conflict, "the base version is checked too");
    catalog.commit(&latest, "b", vec![publication(1)]).await.unwrap();
    let state = Arc::clone(catalog.latest().await.unwrap().dataset(&definition().name).unwrap());
    assert_eq!((state.versions.len(), state.deliveries.len(), state.live_slices.len()), (2, 2, 1));
}

#[tokio::test]
async fn earlier_states_are_read_by_number_and_time() {
    let store = Store::open("memory://").unwrap();
    let (catalog, defined) = with_dataset(store.clone()).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let mut base = catalog.commit(&defined, "a", vec![publication(0)]).await.unwrap();
    for number in 0..70 {
        base = catalog.commit(&base, "a", vec![role(&format!("r{number}"))]).await.unwrap();
    }
    let cold = Catalog::open(store).await.unwrap();
    for id in [0, 1, 31, 32, 33, 71] {
        assert_eq!(cold.snapshot(SnapshotId(id)).await.unwrap().id(), SnapshotId(id));
    }
    assert_eq!(cold.as_of(&AsOf::At(defined.committed_at())).await.unwrap(), defined);
    let too_early = AsOf::At(DateTime::UNIX_EPOCH);
    assert_eq!(cold.as_of(&too_early).await.unwrap_err().class(), ErrorClass::NotFound);
    assert_eq!(cold.snapshot(SnapshotId(999)).await.unwrap_err().class(), ErrorClass::NotFound);
    assert_eq!(cold.seal_key().await.unwrap(), catalog.seal_key().await.unwrap());
}

#[tokio::test]
async fn checkpoints_are_not_needed_and_gaps_are_noticed() {
    let store = Store::open("memory://").unwrap();
    let (catalog, mut base) = with_dataset(store.clone()).await;
    for number in 0..64 {
        base = catalog.commit(&base, "a", vec![role(&format!("r{number}"))]).await.unwrap();
    }
    let objects = store.objects();
    let path = |version: u64| Path::from(format!("catalog/checkpoint/{version:020}.json.zst"));
    objects.put(&path(64), PutPayload::from_static(b"damaged")).await.unwrap();
    assert_eq!(Catalog::open(store.clone()).await.unwrap().latest().await.unwrap(), base);
    objects.put(&path(32), PutPayload::from_static(b"damaged")).await.unwrap();
    assert_eq!(Catalog::open(store.clone()).await.unwrap().latest().await.unwrap(), base);
    objects.delete(&Path::from("catalog/log/00000000000000000050.json")).await.unwrap();
    let error = Catalog::open(store).await.unwrap_err();
    assert!(matches!(error, CatalogError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_what_to_do() {
    let catalog = Catalog::create(Store::open("memory://").unwrap(), node()).await.unwrap();
    let base = catalog.latest().await.unwrap();
    let no_provider = catalog.commit(&base, "a", vec![define(definition())]).await.unwrap_err().to_string();
    assert!(no_provider.contains("basin org put"), "{no_provider}");
    let base = catalog.commit(&base, "a", vec![organisation()]).await.unwrap();
    let undefined = catalog.commit(&base, "a", vec![publication(0)]).await.unwrap_err().to_string();
    assert!(undefined.contains("basin dataset apply"), "{undefined}");
    let changes = vec![define(definition()), publication(0)];
    let base = catalog.commit(&base, "a", changes).await.unwrap();
    let mut changed = definition();
    changed.entry.resource_code = "306001/000009".parse().unwrap();
    changed.items[1].r#type = "text".parse().unwrap();
    changed.layout.slice.clear();
    let error = catalog.commit(&base, "a", vec![define(changed)]).await.unwrap_err().to_string();
    for part in ["resource_code was", "confirmed was int64, is text", "layout.slice was [day], is []"] {
        assert!(error.contains(part), "{error}");
    }
    let mut strict = definition();
    strict.items[1].grade = "core".parse().unwrap();
    assert!(strict.validate().unwrap_err().to_string().contains("raise dataset.grade"));
    let mut blank = definition();
    blank.entry.share = crate::Share::Conditional { condition: " ".to_owned() };
    assert_eq!(blank.validate().unwrap_err().class(), ErrorClass::InvalidInput);
}

/// Carries out creations and loses their replies while it is told to; may lose reads too.
#[derive(Debug)]
struct Lossy {
    inner: Arc<dyn ObjectStore>,
    replies: AtomicBool,
    reads: AtomicBool,
}

fn lost() -> object_store::Error {
    object_store::Error::Generic { store: "lossy", source: "the reply was lost".into() }
}

impl fmt::Display for Lossy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lossy")
    }
}

#[async_trait]
impl ObjectStore for Lossy {
    async fn put_opts(
        &self,
        at: &Path,
        payload: PutPayload,
        o: PutOptions,
    ) -> object_store::Result<PutResult> {
        let result = self.inner.put_opts(at, payload, o).await;
        if self.replies.load(Ordering::SeqCst) { Err(lost()) } else { result }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        o: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, o).await
    }

    async fn get_opts(&self, at: &Path, o: GetOptions) -> object_store::Result<GetResult> {
        let unread = self.reads.load(Ordering::SeqCst) && self.inner.head(at).await.is_ok();
        if unread { Err(lost()) } else { self.inner.get_opts(at, o).await }
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, o: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, o).await
    }
}

#[tokio::test]
async fn a_lost_reply_is_read_back_or_unknown() {
    let inner: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let lossy = Arc::new(Lossy { inner, replies: AtomicBool::new(false), reads: AtomicBool::new(false) });
    let objects: Arc<dyn ObjectStore> = Arc::<Lossy>::clone(&lossy);
    let catalog = Catalog::create(Store::of(objects, "s3://bucket"), node()).await.unwrap();
    let base = catalog.latest().await.unwrap();
    lossy.replies.store(true, Ordering::SeqCst);
    let base = catalog.commit(&base, "a", vec![role("one")]).await.unwrap();
    assert_eq!(base.id(), SnapshotId(1), "carried out once");
    lossy.reads.store(true, Ordering::SeqCst);
    let error = catalog.commit(&base, "a", vec![role("two")]).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::UnknownOutcome, "{error}");
    lossy.replies.store(false, Ordering::SeqCst);
    lossy.reads.store(false, Ordering::SeqCst);
    assert_eq!(catalog.latest().await.unwrap().id(), SnapshotId(2), "it did happen, once");
}
