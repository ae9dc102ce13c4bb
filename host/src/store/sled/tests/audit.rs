//! The audit chain.

use super::harness::*;
use crate::store::sled::keys;
use crate::store::sled::tables::Table;
use crate::store::*;

#[tokio::test]
async fn the_chain_holds_and_its_tail_is_newest_first() {
    let store = Scratch::new().await;
    let empty = store.verify_audit(&org()).await.unwrap();
    assert_eq!((empty.entries, empty.newest), (0, None));
    for number in 0..5 {
        let mut write = put(PutMode::Create, &format!("user_{number}"));
        write.audit.at = at(number);
        store.put_account(write).await.unwrap();
    }
    let store = store.reopened().await;
    let summary = store.verify_audit(&org()).await.unwrap();
    assert_eq!((summary.entries, summary.newest), (5, Some(at(4))));
    let tail = store.audit_tail(&org(), 2).await.unwrap();
    assert_eq!(tail.iter().map(|entry| (entry.seq, entry.event.at)).collect::<Vec<_>>(), [(5, at(4)), (4, at(3))]);
    assert_eq!((tail[0].hash, tail[0].prev_hash), (summary.head, tail[1].hash));
    assert_eq!(store.verify_audit(&"other".parse().unwrap()).await.unwrap().entries, 0);
}

#[tokio::test]
async fn whatever_is_changed_in_a_chain_is_found() {
    /// What is done to the rows, and the entry at which it shows.
    type Case = (&'static str, fn(&::sled::Tree, &dyn Fn(u64) -> Vec<u8>), u64);
    let cases: [Case; 6] = [
        ("an event is changed", |tree, row| change(tree, &row(2), b"tk_abcd", b"tk_evil"), 2),
        ("an entry is dropped", |tree, row| drop(tree.remove(row(3)).unwrap()), 3),
        ("the first entry is dropped", |tree, row| drop(tree.remove(row(1)).unwrap()), 1),
        ("the last entry is dropped", |tree, row| drop(tree.remove(row(4)).unwrap()), 4),
        (
            "two entries are swapped",
            |tree, row| {
                let (two, three) = (tree.get(row(2)).unwrap().unwrap(), tree.get(row(3)).unwrap().unwrap());
                tree.insert(row(2), three).unwrap();
                tree.insert(row(3), two).unwrap();
            },
            2,
        ),
        ("an entry is garbage", |tree, row| drop(tree.insert(row(1), b"garbage").unwrap()), 1),
    ];
    for (what, tamper, at_entry) in cases {
        let store = Scratch::new().await;
        for number in 0..4 {
            with_account(&store, &format!("user_{number}")).await;
        }
        tamper(store.tables().tree(Table::Audit).unwrap(), &|seq| keys::audit(&org(), seq));
        match store.verify_audit(&org()).await {
            Err(StoreError::AuditBroken { seq, .. }) => assert_eq!(seq, at_entry, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

fn change(tree: &::sled::Tree, key: &[u8], from: &[u8], to: &[u8]) {
    let mut bytes = tree.get(key).unwrap().unwrap().to_vec();
    let place = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[place..place + to.len()].copy_from_slice(to);
    tree.insert(key, bytes).unwrap();
}
