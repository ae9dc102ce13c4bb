//! The format, and stores that are written into it and filled from it.

use std::io::Cursor;

use futures_util::TryStreamExt as _;
use proptest::prelude::*;

use super::section::{Kind as SectionKind, SectionWriter};
use super::*;
use crate::records::{LAYOUT, Table, is_own};
use crate::tests::engines::{Kind, Scratch};
use crate::tests::records::*;
use crate::{AuditAction, Change, NewApiKey, Piece, RowPlace, Store, TableCounts, Unfinished};

fn change(table: Table, key: &[u8], record: Option<&[u8]>) -> Change {
    Change { table, key: key.to_vec(), record: record.map(|record| record.to_vec().into()) }
}

fn origin() -> crate::Origin {
    crate::Origin { kind: "sled".to_owned(), place: "/srv/data/store".to_owned() }
}

/// A backup of these pieces.
fn written(pieces: &[Piece]) -> Vec<u8> {
    let (mut sections, mut bytes) = SectionWriter::new();
    let header = about::Header::new("ab".to_owned(), origin(), LAYOUT, &[]);
    bytes.extend(sections.section(SectionKind::Header, &serde_json::to_vec(&header).unwrap()));
    for piece in pieces {
        let mut content = Vec::new();
        let section = match piece {
            Piece::Rows(rows) => {
                rows::encode(rows, &mut content);
                sections.section(SectionKind::Rows, &content)
            }
            Piece::Changes(rows) => {
                rows::encode(rows, &mut content);
                sections.section(SectionKind::Changes, &content)
            }
            Piece::End(counts) => {
                let rows = counts.iter().map(|(table, count)| (table.to_owned(), count)).collect();
                let trailer = about::Trailer { rows, sha256: sections.sha256() };
                sections.section(SectionKind::End, &serde_json::to_vec(&trailer).unwrap())
            }
        };
        bytes.extend(section);
    }
    bytes
}

fn read(bytes: &[u8]) -> Result<(Vec<Piece>, Contents), BackupError> {
    let mut reader = Reader::open(bytes)?;
    let mut pieces = Vec::new();
    while let Some(piece) = reader.next_piece()? {
        pieces.push(piece);
    }
    let contents = reader.contents().unwrap().clone();
    assert_eq!(contents.bytes, bytes.len() as u64);
    Ok((pieces, contents))
}

fn some_pieces() -> Vec<Piece> {
    let mut counts = TableCounts::default();
    counts.add(Table::ApiKeys, 2);
    counts.add(Table::Accounts, 1);
    vec![
        Piece::Rows(vec![change(Table::ApiKeys, b"a", Some(b"one")), change(Table::ApiKeys, b"b", Some(&[7; 300]))]),
        Piece::Changes(vec![change(Table::ApiKeys, b"a", None), change(Table::ApiKeys, b"", Some(b""))]),
        Piece::Rows(vec![change(Table::Accounts, b"a", Some(b"x"))]),
        Piece::End(counts),
    ]
}

#[test]
fn a_backup_that_is_cut_anywhere_is_refused_with_the_section_that_is_incomplete() {
    let whole = written(&some_pieces());
    assert_eq!(read(&whole).unwrap().0, some_pieces());
    for length in 0..whole.len() {
        let error = read(&whole[..length]).unwrap_err();
        assert!(matches!(error, BackupError::Cut { bytes, .. } if bytes == length as u64), "{length}: {error}");
        let said = error.to_string();
        assert!(said.contains("section ") && said.contains("use another copy"), "{said}");
    }
}

#[test]
fn a_backup_with_one_wrong_bit_is_refused_wherever_it_is() {
    let whole = written(&some_pieces());
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            let error = read(&bytes).expect_err("a wrong bit is seen");
            let is_in_first_line = place < section::FIRST_LINE.len();
            let is_named = error.to_string().contains("section ");
            assert!(is_named || is_in_first_line, "byte {place}, bit {bit}: {error}");
        }
    }
}

#[test]
fn sections_that_are_missing_twice_there_or_behind_the_end_are_refused() {
    let whole = written(&some_pieces());
    // Where the sections begin.
    let mut starts = vec![section::FIRST_LINE.len()];
    while *starts.last().unwrap() < whole.len() {
        let at = *starts.last().unwrap();
        let length = u32::from_le_bytes(whole[at + 1..at + 5].try_into().unwrap());
        starts.push(at + 13 + length as usize);
    }
    assert_eq!(starts.len(), 6);
    let section = |number: usize| &whole[starts[number]..starts[number + 1]];
    let begin = &whole[..starts[0]];
    let order = |numbers: &[usize]| {
        let sections = numbers.iter().map(|number| section(*number));
        [begin].into_iter().chain(sections).collect::<Vec<_>>().concat()
    };
    assert_eq!(order(&[0, 1, 2, 3, 4]), whole);
    for numbers in [&[0, 2, 3, 4][..], &[0, 1, 1, 2, 3, 4], &[1, 2, 3, 4], &[0, 2, 1, 3, 4], &[0, 4]] {
        let error = read(&order(numbers)).unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{numbers:?}: {error}");
    }
    let error = read(&[&whole[..], b"x"].concat()).unwrap_err();
    assert!(error.to_string().contains("more bytes follow"), "{error}");
}

#[test]
fn other_files_and_newer_backups_are_told_apart() {
    let said = |bytes: &[u8]| Reader::open(bytes).err().unwrap().to_string();
    assert!(said(b"linked_account_id,slug\nuser_1,stripe\n").contains("it is no backup"));
    assert!(said(b"KEYFERRY-BACKUP 2\nwhatever follows").contains("has format 2"));
    let header = |change: &dyn Fn(&mut Header)| {
        let (mut sections, mut bytes) = SectionWriter::new();
        let mut header = Header::new("ab".to_owned(), origin(), LAYOUT, &[]);
        change(&mut header);
        bytes.extend(sections.section(SectionKind::Header, &serde_json::to_vec(&header).unwrap()));
        bytes
    };
    assert!(said(&header(&|header| header.layout += 1)).contains("rows of layout"));
    assert!(said(&header(&|header| header.tables.push("renewals".to_owned()))).contains("a table `renewals`"));
    let rows =
        [Piece::Rows(vec![change(Table::Accounts, b"b", Some(b"x")), change(Table::Accounts, b"a", Some(b"x"))])];
    assert!(read(&written(&rows)).unwrap_err().to_string().contains("not in their order"));
}

fn any_rows() -> impl Strategy<Value = Vec<Change>> {
    let record = prop::option::of(prop::collection::vec(any::<u8>(), 0..400));
    let row = (0..Table::ALL.len(), prop::collection::vec(any::<u8>(), 0..200), record);
    let change = |(table, key, record): (usize, Vec<u8>, Option<Vec<u8>>)| Change {
        table: Table::ALL[table],
        key,
        record: record.map(Into::into),
    };
    prop::collection::vec(row.prop_map(change), 1..30)
}

proptest! {
    #[test]
    fn any_rows_read_back_and_no_part_of_them_does(
        pieces in prop::collection::vec(any_rows(), 0..6),
        cut in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let pieces: Vec<_> = pieces.into_iter().map(Piece::Changes).chain([Piece::End(TableCounts::default())]).collect();
        let mut bytes = written(&pieces);
        prop_assert_eq!(read(&bytes).unwrap().0, pieces);
        let place = cut.index(bytes.len());
        prop_assert!(read(&bytes[..place]).is_err());
        bytes[place] ^= 1 << bit;
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn any_bytes_are_no_backup_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), is_begun in any::<bool>()) {
        let begin: &[u8] = if is_begun { section::FIRST_LINE } else { b"" };
        prop_assert!(read(&[begin, &bytes].concat()).is_err());
        let _ = rows::decode(bytes, &Table::ALL);
    }
}

async fn backup_of(store: &dyn Store) -> Vec<u8> {
    let parts: Vec<_> = write(store).await.unwrap().try_collect().await.unwrap();
    parts.concat()
}

/// Each table has a row.
async fn with_every_table(kind: Kind) -> Scratch {
    let scratch = Scratch::new(kind).await;
    let (root, audit) = (Some(root(1, 1)), event(AuditAction::ApiKeyCreated));
    scratch.create_api_key(NewApiKey { record: api_key(1, org()), root, audit }).await.unwrap();
    with_account(&*scratch, "user_1").await;
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Roots) {
        scratch.set(table, b"\xff row", Some(table.name().as_bytes()));
    }
    // No event waits for its chain any more, which would change rows.
    scratch.verify_audit(&org()).await.unwrap();
    scratch
}

/// All content, in the order of tables and keys.
async fn content(store: &dyn Store) -> Vec<Change> {
    let mut pieces = store.content(None).await.unwrap();
    let mut all = Vec::new();
    loop {
        match pieces.recv().await.unwrap().unwrap() {
            Piece::Rows(rows) => all.extend(rows),
            Piece::Changes(changes) => panic!("{changes:?}"),
            Piece::End(counts) => {
                assert_eq!(counts.total(), all.len() as u64);
                return all;
            }
        }
    }
}

/// All engines, from each to each.
fn pairs() -> Vec<(Kind, Kind)> {
    let all = Kind::all();
    all.iter().flat_map(|from| all.iter().map(|to| (*from, *to))).collect()
}

#[tokio::test]
async fn a_backup_has_the_rows_of_every_table_and_none_of_the_engines_own() {
    for (from, to) in pairs() {
        let (source, target) = (with_every_table(from).await, Scratch::new(to).await);
        let rows = content(&*source).await;
        // A claim is a server's, and goes with it.
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Claims) {
            assert!(rows.iter().any(|row| row.table == table), "{} is forgotten", table.name());
        }
        assert!(rows.iter().all(|row| !is_own(row.table, &row.key)));
        let bytes = backup_of(&*source).await;
        let reader = Reader::open(Cursor::new(bytes)).unwrap();
        assert_eq!(reader.header().store.kind, if from == Kind::Sled { "sled" } else { "postgres" });
        let filled = restore(&*target, reader, |_| ()).await.unwrap();
        assert_eq!((filled.rows.total(), filled.resumed), (rows.len() as u64, false));
        assert!(target.unfinished().await.unwrap().is_some());
        target.finish().await.unwrap();
        assert_eq!(content(&*target).await, rows, "{from:?} to {to:?}");
    }
}

#[tokio::test]
async fn a_restore_is_repeated_also_after_its_trail_was_read() {
    if !Kind::all().contains(&Kind::Postgres) {
        return;
    }
    for to in Kind::all() {
        let (source, target) = (Scratch::new(Kind::Postgres).await, Scratch::new(to).await);
        let (root, audit) = (Some(root(1, 1)), event(AuditAction::ApiKeyCreated));
        source.create_api_key(NewApiKey { record: api_key(1, org()), root, audit }).await.unwrap();
        // Its event waits for its chain, into which the restore brings it at the end, as does each read of the trail.
        let bytes = backup_of(&*source).await;
        for resumed in [false, true] {
            let reader = Reader::open(Cursor::new(bytes.clone())).unwrap();
            assert_eq!(restore(&*target, reader, |_| ()).await.unwrap().resumed, resumed, "{to:?}");
            assert_eq!(target.verify_audit(&org()).await.unwrap().entries, 1);
        }
    }
}

/// A new row of an engine's own has to be in the list.
#[tokio::test]
async fn a_new_store_has_no_content() {
    for kind in Kind::all() {
        let scratch = Scratch::new(kind).await.reopened().await;
        assert!(scratch.is_empty().await.unwrap(), "{kind:?}");
        assert_eq!(content(&*scratch).await, []);
    }
}

#[tokio::test]
async fn a_store_with_content_or_a_part_of_other_content_is_not_filled() {
    for kind in Kind::all() {
        let source = with_every_table(Kind::Sled).await;
        let (first, second) = (backup_of(&*source).await, backup_of(&*source).await);
        let error = restore(&*source, Reader::open(Cursor::new(first.clone())).unwrap(), |_| ()).await.unwrap_err();
        assert!(matches!(error, FillError::NotEmpty { .. }), "{error}");

        let target = Scratch::new(kind).await;
        let cut = Cursor::new(first[..first.len() - 10].to_vec());
        let error = restore(&*target, Reader::open(cut).unwrap(), |_| ()).await.unwrap_err();
        assert!(matches!(error, FillError::Backup(BackupError::Cut { .. })), "{error}");
        let error = restore(&*target, Reader::open(Cursor::new(second)).unwrap(), |_| ()).await.unwrap_err();
        assert!(matches!(error, FillError::OtherContent { .. }), "{error}");
        let error = copy(&*source, &*target, |_| ()).await.unwrap_err();
        assert!(matches!(error, FillError::OtherContent { .. }), "{error}");
        let error = copy(&*target, &*source, |_| ()).await.unwrap_err();
        assert!(matches!(error, FillError::IncompleteSource { .. }), "{error}");

        // The same backup is taken from its beginning.
        let filled = restore(&*target, Reader::open(Cursor::new(first)).unwrap(), |_| ()).await.unwrap();
        assert!(filled.resumed);
        target.finish().await.unwrap();
        assert_eq!(content(&*target).await, content(&*source).await);
    }
}

#[tokio::test]
async fn a_copy_continues_behind_its_last_row_and_finds_out_what_has_changed_before_it() {
    for (from, to) in pairs() {
        let (source, target) = (with_every_table(from).await, Scratch::new(to).await);
        let rows = content(&*source).await;
        let half = rows.len() / 2;
        let place = RowPlace::of(&rows[half - 1]);
        let id = format!("copy {}", source.origin());
        let mark = Unfinished { what: "the copy".to_owned(), id, place: Some(place) };
        target.fill(rows[..half].to_vec(), mark).await.unwrap();
        let mut written = 0;
        let count = |step| {
            if let Step::Written(rows) = step {
                written += rows;
            }
        };
        let filled = copy(&*source, &*target, count).await.unwrap();
        assert_eq!((filled.rows.total(), filled.resumed, written), (rows.len() as u64, true, rows.len() - half));
        assert_eq!(content(&*target).await, rows, "{from:?} to {to:?}");

        source.set(Table::Meta, b"\xff row", Some(b"other"));
        let error = copy(&*source, &*target, |_| ()).await.unwrap_err();
        assert!(matches!(error, FillError::Differs { table: "meta", .. }), "{error}");
    }
}

/// What the writers of [`a_backup_is_of_one_moment_also_while_the_store_is_written`] have done: by number, the key and its value.
type Done = Vec<(Vec<u8>, Option<Vec<u8>>)>;

const KEYS: u64 = 3_000;
const FIRST: Table = Table::Accounts;
const LAST: Table = Table::ImportCounts;

/// One write: the number of the write in two tables, and a row in two others, put or removed.
async fn write_once(store: &dyn Store, number: u64, done: &mut Done) {
    let random = fastrand::u64(..);
    let key = format!("key {:05}", random % KEYS).into_bytes();
    let value = (random >> 32 & 3 != 0).then(|| vec![number as u8; 100 + (random >> 40) as usize % 400]);
    done.push((key.clone(), value.clone()));
    let row = |table| change(table, &key, value.as_deref());
    let count = |table| change(table, b"count", Some(&number.to_be_bytes()));
    let changes = vec![count(Table::Meta), row(FIRST), row(LAST), count(Table::ImportFormer)];
    let mark = Unfinished { what: "a test".to_owned(), id: "test".to_owned(), place: None };
    store.fill(changes, mark).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_moment_also_while_the_store_is_written() {
    for kind in Kind::all() {
        let source = Scratch::new(kind).await;
        let mut done = Done::new();
        let before = if kind == Kind::Sled { 2_000 } else { 500 };
        for number in 0..before {
            write_once(&*source, number, &mut done).await;
        }
        let (mut backup, mut bytes) = (write(&*source).await.unwrap(), Vec::new());
        while let Some(part) = backup.try_next().await.unwrap() {
            bytes.extend_from_slice(&part);
            for _ in 0..20 {
                write_once(&*source, done.len() as u64, &mut done).await;
            }
        }
        let target = Scratch::new(Kind::Sled).await;
        restore(&*target, Reader::open(Cursor::new(bytes)).unwrap(), |_| ()).await.unwrap();
        let rows = content(&*target).await;
        let of = |wanted| {
            rows.iter().filter(move |row| row.table == wanted).map(|row| (&row.key, row.record.as_deref().unwrap()))
        };
        let count = |table| of(table).map(|(_, value)| u64::from_be_bytes(value.try_into().unwrap())).next().unwrap();
        let number = count(Table::Meta);
        assert_eq!(number, count(Table::ImportFormer));
        println!("{kind:?}: {} writes before, {number} in the backup, {} at its end", before, done.len());
        let during = number + 1 - before;
        assert!(kind != Kind::Sled || during > 50, "only {during} writes took place meanwhile");
        let mut expected = std::collections::BTreeMap::new();
        for (key, value) in &done[..=number as usize] {
            match value {
                Some(value) => expected.insert(key.clone(), value.clone()),
                None => expected.remove(key),
            };
        }
        for table in [FIRST, LAST] {
            let found: Vec<_> = of(table).map(|(key, value)| (key.clone(), value.to_vec())).collect();
            assert_eq!(found, expected.clone().into_iter().collect::<Vec<_>>(), "{kind:?} {table:?}");
        }
    }
}

#[tokio::test]
async fn one_backup_at_a_time_reads_a_folder_and_one_that_nobody_reads_ends() {
    let scratch = with_every_table(Kind::Sled).await;
    let first = write(&*scratch).await.unwrap();
    assert!(matches!(write(&*scratch).await.err().unwrap(), crate::StoreError::CopyRunning));
    drop(first);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while write(&*scratch).await.is_err() {
        assert!(std::time::Instant::now() < until, "the backup does not end");
        tokio::task::yield_now().await;
    }
}
