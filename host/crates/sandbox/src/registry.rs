//! [`Registry`]: the plugin that serves each app, and the status of the other files.
//!
//! The folder is scanned as a whole, one scan at a time. Requests read a snapshot that is swapped in at the end of a scan, so they
//! never wait for one, and a call in progress keeps the version it began with.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::admission::{Admission, Admitter};
use super::app::App;
use super::description::Digest;
use super::grants::{GrantLock, GrantLockError, GrantPolicy, PluginGrant};
use super::plugin_file::{self, FileStamp, PluginFile};
use super::sandbox::Sandbox;
use super::status::{PluginState, PluginStatus};
use super::versions::Versions;
use keyferry_egress::{Egress, Grant};
use keyferry_telemetry::metrics;
use keyferry_types::ids::Slug;
use keyferry_types::path_text::ShowPath as _;

/// Files, folders and policy of the registry.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Holds one `.wasm` file a plugin.
    pub folder: PathBuf,
    /// Path of the lock file, `keyferry.lock`.
    pub lock: PathBuf,
    /// Folder of the versions that served well.
    pub versions: PathBuf,
    /// Who decides which requests plugins may make.
    pub policy: GrantPolicy,
}

/// Errors of the registry.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RegistryError {
    #[error("cannot read the plugin folder {}: {source}; `keyferry plugin build` makes it, --plugins names another", folder.shown())]
    Folder { folder: PathBuf, source: io::Error },
    #[error(transparent)]
    Lock(#[from] GrantLockError),
    #[error("no plugin in {} is called `{}`; there are: {known}", folder.shown(), Path::new(target).shown())]
    NoSuchPlugin { target: String, folder: PathBuf, known: String },
    #[error("{} cannot be granted anything: {reason}", file.shown())]
    Refused { file: PathBuf, reason: String },
    #[error("{} cannot be rolled back: {reason}", file.shown())]
    NoWayBack { file: PathBuf, reason: String },
    #[error("{} cannot be written: {source}", file.shown())]
    Write { file: PathBuf, source: io::Error },
}

/// The state of one file of the folder.
struct Entry {
    stamp: FileStamp,
    status: PluginStatus,
    /// The recorded grant that the status rests on.
    grant: Option<PluginGrant>,
    serving: Option<Arc<App>>,
}

impl Entry {
    /// Whether nothing has changed that its status rests on.
    fn is_settled(&self, stamp: &FileStamp, lock: &GrantLock, policy: GrantPolicy) -> bool {
        let recorded = self.status.digest.and_then(|digest| lock.of(&digest).cloned());
        let serving_holds = self.serving.as_ref().is_none_or(|app| is_granted(app.digest, lock, policy));
        self.stamp == *stamp && self.grant == recorded && self.status.state != PluginState::Duplicate && serving_holds
    }
}

/// Whether a component may serve at all.
pub(super) fn is_granted(digest: Digest, lock: &GrantLock, policy: GrantPolicy) -> bool {
    match lock.of(&digest) {
        Some(grant) => grant.is_in_force(jiff::Timestamp::now()),
        None => policy == GrantPolicy::OnDrop,
    }
}

/// All plugins of one folder.
pub struct Registry {
    pub(super) settings: RegistrySettings,
    pub(super) versions: Versions,
    admitter: Admitter,
    entries: Mutex<Vec<Entry>>,
    apps: ArcSwap<HashMap<Slug, Arc<App>>>,
    statuses: ArcSwap<Vec<PluginStatus>>,
}

impl Registry {
    /// Looks through the folder for the first time.
    ///
    /// # Errors
    /// If the folder or the lock file cannot be read. A plugin that cannot be admitted is no error: it is listed with
    /// the reason.
    pub async fn open(
        settings: RegistrySettings,
        sandbox: Arc<Sandbox>,
        egress: Arc<Egress>,
    ) -> Result<Arc<Self>, RegistryError> {
        let registry = Arc::new(Self {
            admitter: Admitter { sandbox, egress, policy: settings.policy },
            versions: Versions::new(settings.versions.clone()),
            settings,
            entries: Mutex::default(),
            apps: ArcSwap::default(),
            statuses: ArcSwap::default(),
        });
        registry.look().await?;
        registry.admitter.sandbox.compiler().yield_to_requests();
        Ok(registry)
    }

    /// The folder that it looks through.
    pub fn folder(&self) -> &Path {
        &self.settings.folder
    }

    /// The plugin that serves an app now.
    pub fn app(&self, slug: &Slug) -> Option<Arc<App>> {
        self.apps.load().get(slug).filter(|app| app.is_in_force()).cloned()
    }

    /// All that serve now, by slug.
    pub fn apps(&self) -> Vec<Arc<App>> {
        let mut apps: Vec<_> = self.apps.load().values().filter(|app| app.is_in_force()).cloned().collect();
        apps.sort_by(|a, b| a.description.slug.cmp(&b.description.slug));
        apps
    }

    /// Every file of the folder and what became of it.
    pub fn statuses(&self) -> Arc<Vec<PluginStatus>> {
        self.statuses.load_full()
    }

    /// Tells metrics how many files are in which state.
    pub fn count_states(&self) {
        let statuses = self.statuses();
        for state in PluginState::ALL {
            metrics::plugins(state.as_str(), statuses.iter().filter(|status| status.state == state).count());
        }
    }

    /// Looks through the folder again.
    ///
    /// # Errors
    /// If folder or lock cannot be read; everything stays as it was.
    pub async fn rescan(&self) -> Result<(), RegistryError> {
        self.look().await
    }

    /// The status of the plugin with that slug or file name; of two, the one that waits.
    ///
    /// # Errors
    /// If no plugin has that slug or file name.
    pub fn find(&self, target: &str) -> Result<PluginStatus, RegistryError> {
        let statuses = self.statuses();
        let named = |status: &&PluginStatus| {
            status.slug.as_ref().is_some_and(|slug| slug.as_str() == target)
                || status.file.file_name().is_some_and(|name| name == target || name.shown().to_string() == target)
        };
        let found = statuses.iter().filter(named).max_by_key(|status| status.state == PluginState::Pending);
        found.cloned().ok_or_else(|| RegistryError::NoSuchPlugin {
            target: target.to_owned(),
            folder: self.settings.folder.clone(),
            known: match statuses.as_slice() {
                [] => "none".to_owned(),
                some => some.iter().map(PluginStatus::title).collect::<Vec<_>>().join(", "),
            },
        })
    }

    /// Looks through the folder, and publishes the snapshot that requests read.
    pub(super) async fn look(&self) -> Result<(), RegistryError> {
        let mut entries = self.entries.lock().await;
        let (lock, files) = self.on_disk().await?;
        self.withdraw_revoked(&lock);
        let mut before: HashMap<PathBuf, Entry> =
            entries.drain(..).map(|entry| (entry.status.file.clone(), entry)).collect();
        let mut looked: Vec<Entry> = Vec::with_capacity(files.len());
        for PluginFile { path, stamp, unfit } in files {
            let entry = match before.remove(&path) {
                Some(entry) if entry.is_settled(&stamp, &lock, self.settings.policy) => entry,
                known => {
                    let mut admission = match unfit {
                        Some(reason) => Admission::unfit(&path, &reason),
                        None => self.admitter.admit(&path, &lock).await,
                    };
                    admission.status.bytes = stamp.bytes();
                    let last_good = self.last_good(&admission, known, &lock).await;
                    let others = looked.iter().chain(before.values());
                    let bytes = Arc::clone(&admission.bytes);
                    let mut entry = place(admission, stamp, last_good, others);
                    self.keep(&mut entry, bytes).await;
                    entry.status.granted_before = granted_before(&entry, &lock);
                    entry.status.announce();
                    entry
                }
            };
            looked.push(entry);
        }
        for gone in before.into_values() {
            tracing::info!(file = %gone.status.file.shown(), "plugin removed");
        }
        let apps: HashMap<_, _> =
            looked.iter().filter_map(|e| e.serving.clone()).map(|app| (app.description.slug.clone(), app)).collect();
        self.apps.store(Arc::new(apps));
        self.statuses.store(Arc::new(looked.iter().map(|entry| entry.status.clone()).collect()));
        *entries = looked;
        Ok(())
    }

    /// Has apps whose grant was revoked serve no more, before the rest of a look, which may compile.
    fn withdraw_revoked(&self, lock: &GrantLock) {
        let apps = self.apps.load();
        let is_granted = |app: &App| is_granted(app.digest, lock, self.settings.policy);
        if apps.values().any(|app| !is_granted(app)) {
            let granted = apps.iter().filter(|(_, app)| is_granted(app));
            self.apps.store(Arc::new(granted.map(|(slug, app)| (slug.clone(), Arc::clone(app))).collect()));
        }
    }

    /// The version that keeps serving where the one in the file cannot: the one that served until now, or, after a
    /// start, the kept one. It must still be granted, and must not be the one in the file.
    async fn last_good(&self, admission: &Admission, known: Option<Entry>, lock: &GrantLock) -> Option<Arc<App>> {
        let policy = self.settings.policy;
        let may_serve = |digest: Digest| Some(digest) != admission.status.digest && is_granted(digest, lock, policy);
        if let Some(entry) = known {
            return entry.serving.filter(|app| may_serve(app.digest));
        }
        if admission.app.is_some() {
            return None;
        }
        let path = &admission.status.file;
        let kept = self.versions.of(path).into_iter().rev().filter(|version| !version.abandoned);
        for version in kept.filter(|version| may_serve(version.sha256)) {
            match self.versions.read(version.sha256) {
                Ok(bytes) => {
                    if let Some(app) = self.admitter.admit_kept(path, bytes, lock).await {
                        return Some(Arc::new(app));
                    }
                }
                Err(error) => tracing::warn!(file = %path.shown(), %error, "a kept version cannot be read"),
            }
        }
        None
    }

    /// Reads the lock file; grants can have changed since the last look.
    pub(super) async fn lock(&self) -> Result<GrantLock, RegistryError> {
        let path = self.settings.lock.clone();
        let unread = |source| GrantLockError::Read { path: self.settings.lock.clone(), source };
        Ok(blocking(move || GrantLock::read(&path)).await.map_err(unread)??)
    }

    /// Reads the lock file and lists the folder.
    async fn on_disk(&self) -> Result<(GrantLock, Vec<PluginFile>), RegistryError> {
        let (lock, folder) = (self.settings.lock.clone(), self.settings.folder.clone());
        let unread = |source| RegistryError::Folder { folder: self.settings.folder.clone(), source };
        let read = blocking(move || (GrantLock::read(&lock), plugin_file::list(&folder)));
        let (lock, files) = read.await.map_err(unread)?;
        Ok((lock?, files.map_err(unread)?))
    }

    /// Keeps what serves from its own file, to go back to.
    async fn keep(&self, entry: &mut Entry, bytes: Arc<Vec<u8>>) {
        let (versions, file) = (self.versions.clone(), entry.status.file.clone());
        let serves = entry.status.digest.filter(|_| entry.status.state == PluginState::Active);
        let kept = blocking(move || {
            let done = serves.map_or(Ok(()), |digest| versions.keep(&file, digest, &bytes));
            (done, versions.of(&file))
        });
        let (done, kept) = kept.await.unwrap_or_else(|error| (Err(error), Vec::new()));
        if let Err(error) = done {
            tracing::warn!(file = %entry.status.file.shown(), %error, "this version was not kept, so a rollback to it is impossible");
        }
        entry.status.kept = kept.into_iter().map(|version| version.sha256).collect();
    }
}

/// What the version may do that this file would take the place of.
fn granted_before(entry: &Entry, lock: &GrantLock) -> Vec<Grant> {
    let is_another = |digest: Digest| Some(digest) != entry.status.digest;
    if let Some(app) = entry.serving.as_ref().filter(|app| is_another(app.digest)) {
        return app.grants.iter().cloned().collect();
    }
    let mut kept = entry.status.kept.iter().rev().copied().filter(|digest| is_another(*digest));
    kept.find_map(|digest| lock.of(&digest)).map(|grant| grant.requests.clone()).unwrap_or_default()
}

/// Runs work on files apart from the threads that serve requests: a disk can be slow, and a kept version is synced to it.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// Inserts an admitted file among the others. `last_good` keeps serving where it cannot.
fn place<'a>(
    admission: Admission,
    stamp: FileStamp,
    last_good: Option<Arc<App>>,
    mut others: impl Iterator<Item = &'a Entry>,
) -> Entry {
    let Admission { mut status, grant, app, .. } = admission;
    let twin = app.as_ref().and_then(|app| {
        others.find(|other| other.serving.as_ref().is_some_and(|s| s.description.slug == app.description.slug))
    });
    let serving = match (twin, app) {
        (Some(twin), _) => {
            status.state = PluginState::Duplicate;
            status.reason = Some(format!(
                "{} and {} both say that they are `{}`; the former serves, remove one of them",
                twin.status.file.shown(),
                status.file.shown(),
                status.title(),
            ));
            last_good
        }
        (None, Some(app)) => Some(Arc::new(app)),
        (None, None) => last_good,
    };
    status.serving = serving.as_ref().map(|app| app.digest);
    Entry { stamp, status, grant, serving }
}
