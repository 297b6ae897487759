use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutPayload};

use super::*;

fn open() -> (tempfile::TempDir, DurableFolder) {
    let folder = tempfile::tempdir().unwrap();
    let store = DurableFolder::open(folder.path()).unwrap();
    (folder, store)
}

#[tokio::test]
async fn creation_is_exclusive_and_replacing_is_not() {
    let (_folder, store) = open();
    let path = Path::from("catalog/log/1.json");
    let create = || PutOptions::from(PutMode::Create);
    store.put_opts(&path, PutPayload::from_static(b"one"), create()).await.unwrap();
    let again = store.put_opts(&path, PutPayload::from_static(b"two"), create()).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })));
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "one");
    store.put(&path, PutPayload::from_static(b"three")).await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "three");
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 1, "nothing staged is left");
}

#[tokio::test]
async fn one_of_many_creators_wins() {
    let (_folder, store) = open();
    let store = Arc::new(store);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let options = PutOptions::from(PutMode::Create);
            store.put_opts(&Path::from("x/y"), PutPayload::from_static(b"z"), options).await.is_ok()
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|won| *won).count(), 1);
}

#[tokio::test]
async fn uploads_copies_and_renames_arrive() {
    let (_folder, store) = open();
    let mut upload = store.put_multipart(&Path::from("u/1")).await.unwrap();
    upload.put_part(PutPayload::from_static(b"part")).await.unwrap();
    upload.complete().await.unwrap();
    store.copy_if_not_exists(&Path::from("u/1"), &Path::from("c/2")).await.unwrap();
    store.rename(&Path::from("c/2"), &Path::from("d/e/3")).await.unwrap();
    assert_eq!(store.get(&Path::from("d/e/3")).await.unwrap().bytes().await.unwrap(), "part");
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn catalog_objects_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, store) = open();
    let path = Path::from("catalog/keys/seal");
    store.put(&path, PutPayload::from_static(b"k")).await.unwrap();
    let mode = fs::metadata(store.inner.path_to_filesystem(&path).unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
}
