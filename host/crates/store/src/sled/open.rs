//! Opening a database folder, the way that sled needs it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sled::{Config, Db, Mode, Tree};

use super::checkpoint::Database;
use super::durability::{FileSyncer, Space};
use super::journal::{self, JOURNALS, JournalFile};
use super::replay::{self, Found, Gap};
use super::reserve::{RESERVE, Reserve};
use super::settings::SledSettings;
use super::tables::{Tables, open_error};
use super::watermark::Watermark;
use crate::records::{FORMAT, HAS_WATERMARK, LAYOUT, Rows as _, Table, UNFINISHED, decode};
use crate::{Incomplete, StoreError, StoreResult, Unfinished};
use keyferry_types::bounded_file::{self, FileFault, Kind, PATIENCE};
use keyferry_types::path_text::ShowPath as _;

/// Fixed when a database is made. With less, larger records would go to files that sled never syncs.
const SEGMENT_SIZE: usize = 8 << 20;
/// sled reclaims space in its flusher thread and nowhere else; without one the file would only ever grow. That it syncs as often
/// helps, and is not what we rely on.
const FLUSH_EVERY_MS: u64 = 500;
/// Recovery writes a snapshot and may start a segment, and sled takes what the journal holds: without this much space it would fail
/// half-way.
const FREE_TO_OPEN: u64 = 3 * SEGMENT_SIZE as u64;
/// How long an instance that has just been dropped may hold on to its files.
const LETTING_GO: Duration = Duration::from_secs(5);

/// Stands beside the database and says that it once was complete, and how far it had come. sled may take a damaged log for an
/// empty one.
const MARKER: &str = "keyferry-store";
const LOCK: &str = "writer.lock";
/// sled's file of records.
const DATABASE: &str = "db";
/// What has to be a file where it is there, besides snapshots.
const FILES: [&str; 7] = [DATABASE, "conf", MARKER, LOCK, RESERVE, JOURNALS[0], JOURNALS[1]];

/// A database that is open, locked and checked.
pub(super) struct Opened {
    pub(super) tables: Tables,
    /// Our own handle of the database file.
    pub(super) file: Arc<File>,
    /// The files of the journal, which hold nothing that sled has not brought to disk.
    pub(super) journal: [JournalFile; 2],
    /// Number of the last batch of writes.
    pub(super) batches: u64,
    /// The watermark that is stored beside the database.
    pub(super) watermark: Watermark,
    /// Held as long as the store is open.
    pub(super) lock: File,
}

/// Opens or makes a database. Blocks; a large log takes a while to recover.
pub(super) fn open(settings: &SledSettings) -> StoreResult<Opened> {
    let path = settings.path.as_path();
    check_files(path)?;
    make_folder(path).map_err(|source| StoreError::Open {
        action: "make the folder",
        path: path.to_owned(),
        source,
    })?;
    // Before anything is touched: what looks like a leftover could be another process at work.
    let lock = lock(path)?;
    let mut reserve = Reserve::new(path, FREE_TO_OPEN);
    reserve.release_if_needed();
    Space { path: path.to_owned(), needed: FREE_TO_OPEN }.check().inspect_err(|_| reserve.refill(settings.min_free))?;
    remove_unfinished_snapshots(path).map_err(|source| StoreError::Open {
        action: "clean up the folder",
        path: path.to_owned(),
        source,
    })?;
    let marker = path.join(MARKER);
    let known = marker.exists();
    let db_path = path.join(DATABASE);
    if known && !db_path.exists() {
        return Err(corrupt(path, "its database file is gone"));
    }

    let tables = guarded(path, || {
        let db = open_database(settings)?;
        Tables::open(db).map_err(|error| open_error(path, error))
    })?;
    check_format(path, &tables, known)?;
    let has_watermark = tables.get(Table::Meta, HAS_WATERMARK, &mut |_| Ok(()))?;
    if has_watermark && marker.metadata().map_or(0, |file| file.len()) == 0 {
        // Without it, a loss would not be noticed.
        return Err(corrupt(path, format!("its file {MARKER}, which counts acknowledged writes, is gone or empty")));
    }
    let synced = (|| {
        tables.db().flush().map_err(io::Error::other)?;
        let file = OpenOptions::new().read(true).write(true).open(&db_path)?;
        file.sync_all()?;
        let mut options = OpenOptions::new();
        let marker = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(&marker)?;
        if !known {
            marker.sync_all()?;
        }
        let journal = journal::open(path)?;
        // The names of new files become durable with their folder.
        File::open(path.join("blobs"))?.sync_all()?;
        File::open(path)?.sync_all()?;
        Ok((file, marker, journal))
    })();
    let (file, marker, journal) = synced.map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::InvalidData => corrupt(path, "a file of its journal is damaged"),
        _ => StoreError::Open { action: "bring to disk", path: path.to_owned(), source },
    })?;
    let file = Arc::new(file);
    let database = Database { tables, file: Arc::clone(&file), syncer: Arc::new(FileSyncer) };
    let (batches, watermark) = guarded(path, || replay(path, &database, &journal, marker))?;
    if settings.unfinished == Incomplete::Refused {
        check_whole(path, &database.tables)?;
    }
    if !has_watermark {
        let failed = |source| StoreError::Open { action: "bring to disk", path: path.to_owned(), source };
        watermark.begin(batches).map_err(failed)?;
        database.tables.set(Table::Meta, HAS_WATERMARK, Some(&[][..]))?;
        database.bring_to_disk().map_err(io::Error::other).map_err(failed)?;
    }
    journal.iter().for_each(|journal| journal::uncache(&journal.file, 0));
    // sled has written the rest of its segment at once.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    journal::uncache(&file, length.saturating_sub(2 * SEGMENT_SIZE as u64));
    reserve.refill(settings.min_free);
    Ok(Opened { tables: database.tables, file, journal, batches, watermark, lock })
}

/// Applies to sled what the journal holds beyond its last checkpoint. Returns the number of the last batch.
fn replay(path: &Path, database: &Database, journal: &[JournalFile; 2], marker: File) -> StoreResult<(u64, Watermark)> {
    let failed = |source| StoreError::Open { action: "read the journal of", path: path.to_owned(), source };
    let known = database.batches()?.ok_or_else(|| corrupt(path, "its count of batches is damaged"))?;
    let found = Found::read(journal).map_err(failed)?;
    let records = found.after(known).map_err(|gap| {
        let Gap { missing, found } = gap;
        corrupt(
            path,
            format!("batch {missing} of the writes is missing in its journal or damaged, and batch {found} is there"),
        )
    })?;
    let batches = known + records.len() as u64;
    // Before anything is changed.
    let watermark = Watermark::check(path, marker, batches)?;
    if !records.is_empty() {
        let bring_to_disk = || database.bring_to_disk().map_err(io::Error::other).map_err(failed);
        replay::apply(&database.tables, &records, bring_to_disk)?;
        database.mark(batches)?;
        bring_to_disk()?;
        tracing::info!(batches = records.len(), "applied what the journal held");
    }
    Ok((batches, watermark))
}

/// Refuses a folder that does not respond, and one in which something else has taken the place of a file: to open a pipe would wait
/// for its other end.
fn check_files(path: &Path) -> StoreResult<()> {
    let folder = path.to_owned();
    let failed = |path: &Path, source| StoreError::Open { action: "look into", path: path.to_owned(), source };
    let found =
        bounded_file::within(path, PATIENCE, move || misplaced(&folder)).map_err(|error| failed(path, error))?;
    match found {
        Some((file, fault)) => Err(failed(&file, fault.into())),
        None => Ok(()),
    }
}

/// The first file of the database in whose place something else is.
fn misplaced(folder: &Path) -> io::Result<Option<(PathBuf, FileFault)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_folder = name == "blobs";
        // A volume mounted at the folder has `lost+found` and other entries that are not the store's.
        if !is_folder && !FILES.contains(&&*name) && !name.starts_with("snap.") {
            continue;
        }
        match bounded_file::kind_of(&entry.path()) {
            Some(Kind::Folder) if is_folder => {}
            Some(kind) => return Ok(Some((entry.path(), FileFault::NotRegular(kind)))),
            None => {}
        }
    }
    Ok(None)
}

fn corrupt(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Corrupt { path: path.to_owned(), reason: reason.into() }
}

fn make_folder(path: &Path) -> io::Result<()> {
    if !path.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above)?.sync_all()?;
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

fn lock(path: &Path) -> StoreResult<File> {
    let name = path.join(LOCK);
    let failed = |source| StoreError::Open { action: "lock", path: name.clone(), source };
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A process that ends while it opens a database leaves `snap.X.generating`, which sled takes for a snapshot at the next
/// opening and refuses as damaged.
fn remove_unfinished_snapshots(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::info!(file = %entry.path().shown(), "removing a snapshot that was never finished");
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn open_database(settings: &SledSettings) -> StoreResult<Db> {
    let path = settings.path.as_path();
    let config = || {
        Config::new()
            .path(path)
            .segment_size(SEGMENT_SIZE)
            .cache_capacity(settings.cache_capacity)
            .mode(Mode::HighThroughput)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
    };
    let patience = Instant::now() + LETTING_GO;
    loop {
        match config().open() {
            Ok(db) => return Ok(db),
            // We hold the folder's lock, so this can only be an instance of this process that is still being dropped, or
            // a tool that uses sled itself.
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                if Instant::now() >= patience {
                    return Err(StoreError::Locked { path: path.to_owned() });
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(open_error(path, error)),
        }
    }
}

/// sled panics on some kinds of damage.
fn guarded<T>(path: &Path, open: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(corrupt(path, said.unwrap_or("the engine gave up")))
    })
}

fn check_format(path: &Path, tables: &Tables, known: bool) -> StoreResult<()> {
    let meta = tables.tree(Table::Meta)?;
    match meta.get(FORMAT).map_err(|error| open_error(path, error))? {
        Some(bytes) => {
            let found = bytes.as_ref().try_into().map(u32::from_be_bytes);
            match found {
                Ok(LAYOUT) => Ok(()),
                Ok(1 | 2) => write_format(path, meta),
                Ok(found) => Err(StoreError::Format { path: path.to_owned(), found, known: LAYOUT }),
                Err(_) => Err(corrupt(path, "its format cannot be determined")),
            }
        }
        None if known => Err(corrupt(path, "it has come back empty")),
        None => write_format(path, meta),
    }
}

/// Refuses a store that has not been filled to its end.
fn check_whole(path: &Path, tables: &Tables) -> StoreResult<()> {
    tables.get(Table::Meta, UNFINISHED, &mut |mark| {
        let Unfinished { what, .. } = decode(Table::Meta, mark)?;
        Err(StoreError::Unfinished { place: path.shown().to_string(), what })
    })?;
    Ok(())
}

fn write_format(path: &Path, meta: &Tree) -> StoreResult<()> {
    meta.insert(FORMAT, &LAYOUT.to_be_bytes()).map_err(|error| open_error(path, error))?;
    Ok(())
}
