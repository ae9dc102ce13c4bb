//! Opening a database folder, the way that sled needs it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sled::{Config, Db, Mode, Tree};

use super::durability::Space;
use super::reserve::{RESERVE, Reserve};
use super::settings::SledSettings;
use super::tables::{Table, Tables, open_error};
use super::watermark::Watermark;
use crate::{StoreError, StoreResult};
use keyferry_types::bounded_file::{self, FileFault, Kind, PATIENCE};
use keyferry_types::path_text::ShowPath as _;

/// Fixed when a database is made. With less, larger records would go to files that sled never syncs.
const SEGMENT_SIZE: usize = 8 << 20;
/// sled reclaims space in its flusher thread and nowhere else; without one the file would only ever grow. What it syncs is
/// not what we rely on.
const FLUSH_EVERY_MS: u64 = 500;
/// Recovery writes a snapshot and may start a segment: without this much space it would fail half-way.
const FREE_TO_OPEN: u64 = 2 * SEGMENT_SIZE as u64;
/// How long an instance that has just been dropped may hold on to its files.
const LETTING_GO: Duration = Duration::from_secs(5);

/// The layout of rows that is written here. All since the first one are read; a Keyferry that knows only an older one must not
/// open what this one has written.
const FORMAT: u32 = 2;
const FORMAT_KEY: &[u8] = b"format";
/// Stands beside the database and says that it once was complete, and how far it had come. sled may take a damaged log for an
/// empty one.
const MARKER: &str = "keyferry-store";
const LOCK: &str = "writer.lock";
/// sled's file of records.
const DATABASE: &str = "db";
/// What has to be a file where it is there, besides snapshots.
const FILES: [&str; 5] = [DATABASE, "conf", MARKER, LOCK, RESERVE];

/// A database that is open, locked and checked.
pub(super) struct Opened {
    pub(super) tables: Tables,
    /// Our own handle of the database file.
    pub(super) file: File,
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
    let synced = (|| {
        tables.db().flush().map_err(io::Error::other)?;
        let file = OpenOptions::new().read(true).write(true).open(&db_path)?;
        file.sync_all()?;
        let mut options = OpenOptions::new();
        let marker = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(&marker)?;
        if !known {
            marker.sync_all()?;
        }
        // The names of new files become durable with their folder.
        File::open(path.join("blobs"))?.sync_all()?;
        File::open(path)?.sync_all()?;
        Ok((file, marker))
    })();
    let (file, marker) =
        synced.map_err(|source| StoreError::Open { action: "bring to disk", path: path.to_owned(), source })?;
    let watermark = Watermark::check(path, marker, &tables)?;
    reserve.refill(settings.min_free);
    Ok(Opened { tables, file, watermark, lock })
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
    match meta.get(FORMAT_KEY).map_err(|error| open_error(path, error))? {
        Some(bytes) => {
            let found = bytes.as_ref().try_into().map(u32::from_be_bytes);
            match found {
                Ok(FORMAT) => Ok(()),
                Ok(1) => write_format(path, meta),
                Ok(found) => Err(StoreError::Format { path: path.to_owned(), found, known: FORMAT }),
                Err(_) => Err(corrupt(path, "its format cannot be determined")),
            }
        }
        None if known => Err(corrupt(path, "it has come back empty")),
        None => write_format(path, meta),
    }
}

fn write_format(path: &Path, meta: &Tree) -> StoreResult<()> {
    meta.insert(FORMAT_KEY, &FORMAT.to_be_bytes()).map_err(|error| open_error(path, error))?;
    Ok(())
}
