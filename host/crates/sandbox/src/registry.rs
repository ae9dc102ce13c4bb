//! Which plugin serves which app, and what is wrong with the others.
//!
//! The folder is looked through as a whole and one look at a time. Requests read a snapshot that is swapped in when a look
//! is over, so they never wait for one, and a call that is under way keeps the version it began with.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::admission::{Admission, Admitter, now, reads_text_reason};
use super::app::App;
use super::description::{Digest, SecretAccess};
use super::file::{self, Found, Stamp};
use super::grants::{GrantLock, GrantLockError, GrantState, PluginGrant, WasiGrant};
use super::reads::{self, FieldRead, Reads};
use super::sandbox::Sandbox;
use super::status::{PluginState, PluginStatus};
use super::versions::{self, Versions};
use keyferry_egress::Egress;
use keyferry_telemetry::metrics;
use keyferry_types::ids::Slug;
use keyferry_types::path_text::{self, ShowPath as _};

/// Who decides which requests a plugin may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantPolicy {
    /// The operator: what the lock file records, and nothing else.
    Recorded,
    /// Everyone with write access to the folder: a plugin without a recorded entry gets the requests that it asks for.
    /// Reading secrets and WASI still need an entry.
    OnDrop,
}

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
    #[error("cannot read the plugin folder {}: {source}; make it, or name another with --plugins", folder.shown())]
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

/// A plugin file that was rolled back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RolledBack {
    /// Path of the plugin file.
    #[serde(with = "path_text")]
    #[schema(value_type = String)]
    pub file: PathBuf,
    /// Digest of the version before the rollback.
    pub from: Option<Digest>,
    /// Digest of the version after the rollback.
    pub to: Digest,
}

/// Permissions that an operator gives a plugin besides its requests.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Whether it may import WASI.
    pub wasi: WasiGrant,
    /// Fields that it may read as text although they look secret: `api_key`, or `keybased.api_key`.
    pub reads_text: Vec<String>,
    /// When the grant ends, if it does.
    pub ends_at: Option<jiff::Timestamp>,
}

/// One file of the folder.
struct Entry {
    stamp: Stamp,
    status: PluginStatus,
    /// The recorded grant that the status rests on.
    grant: Option<PluginGrant>,
    serving: Option<Arc<App>>,
}

impl Entry {
    /// Whether nothing has changed that its status rests on.
    fn is_settled(&self, stamp: &Stamp, lock: &GrantLock, policy: GrantPolicy) -> bool {
        let recorded = self.status.digest.and_then(|digest| lock.of(&digest).cloned());
        let serving_holds = self.serving.as_ref().is_none_or(|app| is_granted(app.digest, lock, policy));
        self.stamp == *stamp && self.grant == recorded && self.status.state != PluginState::Duplicate && serving_holds
    }
}

/// Whether a component may serve at all.
fn is_granted(digest: Digest, lock: &GrantLock, policy: GrantPolicy) -> bool {
    match lock.of(&digest) {
        Some(grant) => grant.is_in_force(now()),
        None => policy == GrantPolicy::OnDrop,
    }
}

/// All plugins of one folder.
pub struct Registry {
    settings: RegistrySettings,
    versions: Versions,
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
        registry.admitter.sandbox.compiler().stand_back();
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

    /// Records a grant of what a plugin asks for and lets it serve. `target` is a slug or a file name, `shown` the file whose
    /// requests were looked at. Fields that look secret and that the plugin reads as text have to be among `allowed.reads_text`,
    /// or in the grant that is recorded already.
    ///
    /// # Errors
    /// If there is no such plugin, it cannot be admitted at all, a field is not named, or the lock file cannot be written.
    pub async fn grant(
        &self,
        target: &str,
        shown: Option<Digest>,
        allowed: Allowed,
    ) -> Result<PluginGrant, RegistryError> {
        let Allowed { wasi, reads_text, ends_at } = allowed;
        self.look().await?;
        let status = self.find(target)?;
        let refuse = |reason: String| RegistryError::Refused { file: status.file.clone(), reason };
        let Some(digest) = status.digest else {
            return Err(refuse(status.reason.clone().unwrap_or_else(|| "it could not be read".to_owned())));
        };
        if shown.is_some_and(|shown| shown != digest) {
            return Err(refuse(format!(
                "it has changed since it was looked at, and is {digest} now; look at it again"
            )));
        }
        let needs_wasi = status.state == PluginState::NeedsWasi;
        if status.state == PluginState::Refused || (needs_wasi && wasi == WasiGrant::None) {
            return Err(refuse(status.reason.clone().unwrap_or_default()));
        }
        let mut lock = self.lock().await?;
        let mut grant = lock.of(&digest).cloned().unwrap_or_else(|| PluginGrant::nothing(digest));
        (grant.standing, grant.ends_at) = (GrantState::Granted, ends_at);
        grant.wasi = if needs_wasi { WasiGrant::Sealed } else { grant.wasi };
        grant.slug = status.slug.clone();
        grant.requests = status.requests.clone();
        grant.secrets = status.secret_access.unwrap_or(SecretAccess::Handles);
        for field in reads_text {
            let named = status.reads.iter().filter(|read| read.reads == Reads::Text);
            let places: Vec<String> = named
                .filter(|read| read.place() == field || read.field.as_str() == field)
                .map(FieldRead::place)
                .collect();
            if places.is_empty() {
                return Err(refuse(format!("it reads no field {field:?} as text")));
            }
            grant.reads_text.extend(places);
        }
        grant.reads_text.sort_unstable();
        grant.reads_text.dedup();
        let ungranted = reads::ungranted(&status.reads, &grant.reads_text).join(",");
        if let Some(slug) = status.slug.as_ref().filter(|_| !ungranted.is_empty()) {
            return Err(refuse(reads_text_reason(slug, &ungranted)));
        }
        lock.insert(grant.clone());
        lock.write(&self.settings.lock)?;
        self.look().await?;
        if needs_wasi {
            // Only now could it be asked what else it wants, and that is for the operator to see before it is granted.
            tracing::info!(file = %status.file.shown(), "sealed WASI is granted; grant its requests next");
        }
        Ok(grant)
    }

    /// Revokes every grant of an app: of the file, of the version that serves, and of every other entry of the lock
    /// under its slug. It stops serving at once, and only a new grant lets it serve again.
    ///
    /// # Errors
    /// If no plugin has that slug or file name, or the lock file cannot be written.
    pub async fn revoke(&self, target: &str) -> Result<Vec<PluginGrant>, RegistryError> {
        self.look().await?;
        let status = self.find(target)?;
        let mut lock = self.lock().await?;
        let of_slug = |grant: &&PluginGrant| grant.slug.is_some() && grant.slug == status.slug;
        let mut digests: Vec<Digest> = lock.all().iter().filter(of_slug).map(|grant| grant.sha256).collect();
        digests.extend(status.digest.into_iter().chain(status.serving));
        digests.extend(self.versions.of(&status.file).iter().map(|version| version.sha256));
        digests.sort_unstable();
        digests.dedup();
        let revoked: Vec<PluginGrant> = digests
            .into_iter()
            .map(|digest| PluginGrant {
                slug: status.slug.clone(),
                standing: GrantState::Revoked,
                ..PluginGrant::nothing(digest)
            })
            .collect();
        revoked.iter().for_each(|grant| lock.insert(grant.clone()));
        lock.write(&self.settings.lock)?;
        self.look().await?;
        Ok(revoked)
    }

    /// Puts the last version that served before this one back into a plugin's file, or the kept one whose SHA-256 begins
    /// with `to`. Its grant is in the lock still, so it serves at once.
    ///
    /// # Errors
    /// If there is no such plugin or version, or what is kept must not serve any more.
    pub async fn rollback(&self, target: &str, to: Option<&str>) -> Result<RolledBack, RegistryError> {
        self.look().await?;
        let status = self.find(target)?;
        let file = status.file.clone();
        let no_way = |reason: String| RegistryError::NoWayBack { file: file.clone(), reason };
        let kept = self.versions.of(&file);
        let current = kept.iter().position(|version| Some(version.sha256) == status.digest);
        let wanted = match (to, current) {
            (Some(prefix), _) => kept.iter().find(|version| version.sha256.to_string().starts_with(prefix)),
            (None, Some(0)) => None,
            (None, Some(index)) => kept.get(index - 1),
            // What is in the file never served: the last that did is the way back.
            (None, None) => kept.iter().rev().find(|version| !version.abandoned),
        };
        let Some(wanted) = wanted else {
            let list = kept.iter().map(|version| version.sha256.to_string()).collect::<Vec<_>>();
            return Err(no_way(match list.as_slice() {
                [] => "no version of it has served yet".to_owned(),
                some => format!("no earlier version is kept; kept are {}", some.join(", ")),
            }));
        };
        let to = wanted.sha256;
        if Some(to) == status.digest {
            return Err(no_way(format!("it is {to} already")));
        }
        if !is_granted(to, &self.lock().await?, self.settings.policy) {
            return Err(no_way(format!(
                "{to} has no grant any more; `keyferry plugin grant` records one for what is in the file"
            )));
        }
        let bytes = self.versions.read(to).map_err(|error| no_way(format!("{to} cannot be read: {error}")))?;
        let failed = |source| RegistryError::Write { file: file.clone(), source };
        if let Some(from) = status.digest {
            self.versions.abandon(&file, from).map_err(failed)?;
        }
        versions::write(&self.settings.folder, &file, &bytes).map_err(failed)?;
        self.look().await?;
        Ok(RolledBack { file, from: status.digest, to })
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

    async fn look(&self) -> Result<(), RegistryError> {
        let mut entries = self.entries.lock().await;
        let (lock, files) = self.on_disk().await?;
        let mut before: HashMap<PathBuf, Entry> =
            entries.drain(..).map(|entry| (entry.status.file.clone(), entry)).collect();
        let mut looked: Vec<Entry> = Vec::with_capacity(files.len());
        for Found { path, stamp, unfit } in files {
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

    /// Reads the lock file.
    async fn lock(&self) -> Result<GrantLock, RegistryError> {
        let path = self.settings.lock.clone();
        let unread = |source| GrantLockError::Read { path: self.settings.lock.clone(), source };
        Ok(blocking(move || GrantLock::read(&path)).await.map_err(unread)??)
    }

    /// What is granted, and the files of the folder.
    async fn on_disk(&self) -> Result<(GrantLock, Vec<Found>), RegistryError> {
        let (lock, folder) = (self.settings.lock.clone(), self.settings.folder.clone());
        let unread = |source| RegistryError::Folder { folder: self.settings.folder.clone(), source };
        let read = blocking(move || (GrantLock::read(&lock), file::list(&folder)));
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

/// Does something with files apart from the threads that serve requests: a disk can take its time, and a version that is
/// kept waits until it is on one.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// Inserts an admitted file among the others. `last_good` keeps serving where it cannot.
fn place<'a>(
    admission: Admission,
    stamp: Stamp,
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
