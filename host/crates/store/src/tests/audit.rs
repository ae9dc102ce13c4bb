//! The audit chain.

use super::engines::{Kind, Scratch};
use super::records::*;
use crate::records::{Table, View, append, audit_key, org_key};
use crate::*;

#[tokio::test]
async fn the_chain_holds_and_its_tail_is_newest_first() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
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
}

#[tokio::test]
async fn whatever_is_changed_in_a_chain_is_found() {
    for kind in Kind::all() {
        /// The damage to the rows, and the entry at which it is detected.
        type Case = (&'static str, fn(&Scratch, &dyn Fn(u64) -> Vec<u8>), u64);
        let cases: [Case; 6] = [
            ("an event is changed", |store, row| change(store, &row(2), b"tk_abcd", b"tk_evil"), 2),
            ("an entry is dropped", |store, row| store.set(Table::Audit, &row(3), None), 3),
            ("the first entry is dropped", |store, row| store.set(Table::Audit, &row(1), None), 1),
            ("the last entry is dropped", |store, row| store.set(Table::Audit, &row(4), None), 4),
            (
                "two entries are swapped",
                |store, row| {
                    let (two, three) = (store.get(Table::Audit, &row(2)), store.get(Table::Audit, &row(3)));
                    store.set(Table::Audit, &row(2), three.as_deref());
                    store.set(Table::Audit, &row(3), two.as_deref());
                },
                2,
            ),
            ("an entry is garbage", |store, row| store.set(Table::Audit, &row(1), Some(b"garbage")), 1),
        ];
        for (what, tamper, at_entry) in cases {
            let store = Scratch::new(kind).await;
            for number in 0..4 {
                with_account(&*store, &format!("user_{number}")).await;
                // Each is in a row of its own.
                store.verify_audit(&org()).await.unwrap();
            }
            tamper(&store, &|seq| audit_key(&org(), seq));
            match store.verify_audit(&org()).await {
                Err(StoreError::AuditBroken { seq, .. }) => assert_eq!(seq, at_entry, "{what}"),
                other => panic!("{what}: {other:?}"),
            }
        }
    }
}

/// Many events in one batch of writes, after one in a batch of its own.
async fn with_many(kind: Kind, events: u64) -> Scratch {
    let store = Scratch::new(kind).await;
    with_account(&*store, "user_0").await;
    store.verify_audit(&org()).await.unwrap();
    let many = move |view: &mut View<'_>| {
        (1..=events).try_for_each(|number| {
            let event = AuditEvent { at: at(number), ..event(AuditAction::CredentialMigrated) };
            append(view, &org(), &event)
        })
    };
    store.write(many).await.unwrap();
    store.verify_audit(&org()).await.unwrap();
    store
}

#[tokio::test]
async fn events_of_one_batch_share_rows_and_are_told_one_by_one() {
    for kind in Kind::all() {
        let store = with_many(kind, 500).await;
        with_account(&*store, "user_1").await;
        assert!((4..20).contains(&store.count(Table::Audit)));
        assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 502);
        let all = store.audit_after(&org(), 0, 1000).await.unwrap();
        assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=502).collect::<Vec<_>>());
        assert!(all.windows(2).all(|pair| pair[0].hash == pair[1].prev_hash));
        for (after, limit) in [(0, 1), (1, 3), (77, 200), (250, 1000), (500, 1), (502, 5), (u64::MAX, 5)] {
            let from = all.len().min(usize::try_from(after).unwrap_or(usize::MAX));
            let part = &all[from..(from.saturating_add(limit)).min(all.len())];
            assert_eq!(store.audit_after(&org(), after, limit).await.unwrap(), part, "{limit} after {after}");
        }
        for limit in [0, 1, 2, 150, 1000] {
            let newest: Vec<_> = all.iter().rev().take(limit).cloned().collect();
            assert_eq!(store.audit_tail(&org(), limit).await.unwrap(), newest, "the last {limit}");
        }
    }
}

#[tokio::test]
async fn a_change_inside_a_row_of_many_is_found_at_its_entry() {
    for kind in Kind::all() {
        let store = with_many(kind, 20).await;
        let row = audit_key(&org(), 21);
        let whole = store.get(Table::Audit, &row).unwrap();
        // The actor of the tenth event of the row.
        let place = whole.windows(7).enumerate().filter(|(_, window)| window == b"tk_abcd").nth(9).unwrap().0;
        let mut changed = whole.to_vec();
        changed[place] = b'T';
        store.set(Table::Audit, &row, Some(&changed));
        let found = store.verify_audit(&org()).await;
        assert!(matches!(found, Err(StoreError::AuditBroken { seq: 11, .. })), "{found:?}");
        store.set(Table::Audit, &row, Some(&whole));
        assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 21);
        store.set(Table::Audit, &row, None);
        let found = store.verify_audit(&org()).await;
        assert!(matches!(found, Err(StoreError::AuditBroken { seq: 2, .. })), "{found:?}");
    }
}

#[tokio::test]
async fn a_trail_whose_end_cannot_be_read_harms_no_other_trail() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        with_account(&*store, "user_0").await;
        store.verify_audit(&org()).await.unwrap();
        store.set(Table::AuditHeads, &org_key(&org()), Some(b"garbage"));
        let written = store.put_account(put(PutMode::Create, "user_1")).await;
        match kind {
            Kind::Sled => {
                assert!(matches!(written, Err(StoreError::Damaged { .. })), "{written:?}");
                assert!(store.account(&account_key("user_1")).await.unwrap().is_none());
            }
            // Its event waits, and a read of the trail fails.
            Kind::Postgres => {
                written.unwrap();
                let read = store.audit_tail(&org(), 1).await;
                assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
            }
        }
        let mut other = put(PutMode::Create, "user_1");
        other.key.org = "other".parse().unwrap();
        store.put_account(other).await.unwrap();
        assert_eq!(store.verify_audit(&"other".parse().unwrap()).await.unwrap().entries, 1);
    }
}

fn change(store: &Scratch, key: &[u8], from: &[u8], to: &[u8]) {
    let mut bytes = store.get(Table::Audit, key).unwrap();
    let place = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[place..place + to.len()].copy_from_slice(to);
    store.set(Table::Audit, key, Some(&bytes));
}
