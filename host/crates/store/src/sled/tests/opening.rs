//! Opening folders in every state.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::harness::*;
use crate::records::Table;
use crate::sled::SledStore;
use crate::sled::journal::JOURNALS;
use crate::*;

/// The folder of a store that was closed in an orderly way.
async fn closed(accounts: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(settings(&folder)).await.unwrap();
    for number in 0..accounts {
        with_account(&store, &format!("user_{number}")).await;
    }
    store.close().await.unwrap();
    folder
}

#[tokio::test]
async fn the_folder_is_private() {
    let folder = closed(0).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("store")), 0o700);
    fs::set_permissions(folder.path().join("store"), fs::Permissions::from_mode(0o755)).unwrap();
    SledStore::open(settings(&folder)).await.unwrap();
    assert_eq!(mode(&folder.path().join("store")), 0o700);
}

#[tokio::test]
async fn a_store_that_is_open_cannot_be_opened_again() {
    let store = Scratch::new().await;
    let error = SledStore::open(settings(store.folder())).await.err().unwrap();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    with_account(&store, "still-works").await;
    let mut store = store;
    store.close_and_drop().await;
    SledStore::open(settings(store.folder())).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_that_was_never_finished_does_not_stop_an_opening() {
    let folder = closed(3).await;
    let leftover = folder.path().join("store").join("snap.FFFFFFFFFFFFFFFF.generating");
    for content in [&b""[..], b"half a snapsh", &[0; 4096]] {
        fs::write(&leftover, content).unwrap();
        let store = SledStore::open(settings(&folder)).await.unwrap();
        assert!(store.account(&account_key("user_2")).await.unwrap().is_some());
        assert!(!leftover.exists());
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_in_the_making_is_left_alone_while_its_store_is_open() {
    let store = Scratch::new().await;
    let theirs = store.folder().path().join("store").join("snap.0000000000000001.generating");
    fs::write(&theirs, b"being written").unwrap();
    assert!(SledStore::open(settings(store.folder())).await.is_err());
    assert!(theirs.exists());
}

#[tokio::test]
async fn a_damaged_store_is_refused_with_a_way_out_and_left_as_it_is() {
    type Damage = fn(&std::path::Path);
    let cases: [(&str, Damage); 6] = [
        ("the watermark is gone", |store| fs::remove_file(store.join("keyferry-store")).unwrap()),
        ("the watermark is empty", |store| fs::write(store.join("keyferry-store"), b"").unwrap()),
        ("the log is gone", |store| fs::remove_file(store.join("db")).unwrap()),
        ("the log is empty", |store| fs::write(store.join("db"), b"").unwrap()),
        ("the log is zeros", |store| {
            let length = fs::metadata(store.join("db")).unwrap().len() as usize;
            fs::write(store.join("db"), vec![0; length]).unwrap();
        }),
        ("the snapshot is garbage", |store| {
            fs::write(store.join("snap.FFFFFFFFFFFFFFF0"), b"garbage that is longer than twelve bytes").unwrap();
        }),
    ];
    for (what, damage) in cases {
        let folder = closed(50).await;
        let path = folder.path().join("store");
        damage(&path);
        match SledStore::open(settings(&folder)).await {
            Err(error @ StoreError::Corrupt { .. }) => {
                let said = error.to_string();
                assert!(said.contains("restore") && said.contains(&*path.to_string_lossy()), "{what}: {said}");
            }
            Err(other) => panic!("{what}: {other}"),
            Ok(store) => {
                let left = store.tables().tree(crate::records::Table::Accounts).unwrap().len();
                panic!("{what}: opened with {left} accounts");
            }
        }
        assert!(matches!(SledStore::open(settings(&folder)).await, Err(StoreError::Corrupt { .. })), "{what}, again");
    }
}

#[tokio::test]
async fn a_store_of_a_former_format_is_read_and_is_of_this_one_from_then_on() {
    let mut store = Scratch::new().await;
    with_account(&store, "user_1").await;
    let format = |store: &Scratch| store.tables().tree(Table::Meta).unwrap().get(b"format").unwrap().unwrap();
    // The row of one event then is the row of one event now.
    for former in [1_u32, 2] {
        store.tables().tree(Table::Meta).unwrap().insert(b"format", &former.to_be_bytes()).unwrap();
        store.tables().tree(Table::Meta).unwrap().remove(b"watermark").unwrap();
        store.close_and_drop().await;
        // They had no journal, and the first ones an empty watermark.
        fs::write(store.folder().path().join("store/keyferry-store"), b"").unwrap();
        for name in JOURNALS {
            fs::remove_file(store.folder().path().join("store").join(name)).unwrap();
        }
        store = store.reopened().await;
        assert_eq!(format(&store), 3_u32.to_be_bytes());
        assert_eq!(store.verify_audit(&org()).await.unwrap().entries, u64::from(former));
        assert!(store.account(&account_key("user_1")).await.unwrap().is_some());
        with_account(&store, &format!("of_format_{former}")).await;
    }
}

#[tokio::test]
async fn another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(settings(&folder)).await.unwrap();
    let meta = store.tables().tree(Table::Meta).unwrap().clone();
    meta.insert(b"format", &4_u32.to_be_bytes()).unwrap();
    drop(meta);
    store.close().await.unwrap();
    drop(store);
    let error = SledStore::open(settings(&folder)).await.err().unwrap();
    assert!(matches!(error, StoreError::Format { found: 4, known: 3, .. }), "{error}");
}

#[tokio::test]
async fn no_record_ever_goes_to_a_file_of_its_own() {
    let store = Scratch::new().await;
    for number in 0..100 {
        let account = format!("user_{number}");
        with_account(&store, &account).await;
        let mut write = migration(&account, "hubspot", 1);
        write.record.envelope = vec![number; 60_000];
        store.commit_migration(write).await.unwrap();
    }
    let blobs = fs::read_dir(store.folder().path().join("store").join("blobs")).unwrap().count();
    assert_eq!(blobs, 0, "sled never syncs those");
}

/// An error with its causes.
fn said(error: &StoreError) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

#[tokio::test]
async fn a_pipe_or_a_folder_in_place_of_a_file_is_told_by_name_and_waited_for_by_nobody() {
    for name in ["writer.lock", "db", "conf", "keyferry-store", "journal.1", "blobs", "snap.0000000000000001"] {
        let folder = closed(1).await;
        fs::create_dir(folder.path().join("store/lost+found")).unwrap();
        let (path, beside) = (folder.path().join("store").join(name), folder.path().join("beside"));
        let _ = fs::rename(&path, &beside);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        let opening = tokio::time::timeout(std::time::Duration::from_secs(20), SledStore::open(settings(&folder)));
        let error = opening.await.unwrap_or_else(|_| panic!("{name}: it waits")).err().unwrap();
        assert!(said(&error).contains(&format!("store/{name}: it is a FIFO (named pipe)")), "{}", said(&error));
        fs::remove_file(&path).unwrap();
        if name != "blobs" {
            fs::create_dir(&path).unwrap();
            let error = SledStore::open(settings(&folder)).await.err().unwrap();
            assert!(said(&error).contains(&format!("store/{name}: it is a folder")), "{}", said(&error));
            fs::remove_dir(&path).unwrap();
        }
        let _ = fs::rename(&beside, &path);
        let store = SledStore::open(settings(&folder)).await.unwrap();
        assert!(store.account(&account_key("user_0")).await.unwrap().is_some(), "{name}");
        store.close().await.unwrap();
    }
}
