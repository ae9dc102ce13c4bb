//! Which plugin serves which app, and what is wrong with the others.
//!
//! The folder is looked through as a whole and one look at a time. Requests read a snapshot that is swapped in when a look
//! is over, so they never wait for one, and a call that is under way keeps the version it began with.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::admission::{Admission, Admitter};
use super::app::App;
use super::description::SecretAccess;
use super::file::{self, Stamp};
use super::grants::{GrantLock, GrantLockError, PluginGrant, WasiGrant};
use super::sandbox::Sandbox;
use super::status::{PluginState, PluginStatus};
use crate::egress::Egress;
use crate::ids::Slug;

/// Who decides what a plugin may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantPolicy {
    /// The operator: what the lock file records, and nothing else.
    Recorded,
    /// Whoever can write to the folder: a plugin with nothing recorded gets the requests it asks for. Reading secrets and
    /// WASI have to be recorded all the same.
    OnDrop,
}

/// Where plugins lie and who grants.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Holds one `.wasm` file a plugin.
    pub folder: PathBuf,
    /// `keyferry.lock`.
    pub lock: PathBuf,
    /// Who grants.
    pub policy: GrantPolicy,
}

/// What the registry cannot do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RegistryError {
    #[error("cannot read the plugin folder {}: {source}; make it, or name another with --plugins", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Lock(#[from] GrantLockError),
    #[error("no plugin in {} is called `{target}`; there are: {known}", folder.display())]
    NoSuchPlugin { target: String, folder: PathBuf, known: String },
    #[error("{} cannot be granted anything: {reason}", file.display())]
    Refused { file: PathBuf, reason: String },
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
    fn is_settled(&self, stamp: &Stamp, lock: &GrantLock) -> bool {
        let recorded = self.status.digest.and_then(|digest| lock.of(&digest).cloned());
        self.stamp == *stamp && self.grant == recorded && self.status.state != PluginState::Duplicate
    }
}

/// All plugins of one folder.
pub struct Registry {
    settings: RegistrySettings,
    admitter: Admitter,
    entries: Mutex<Vec<Entry>>,
    apps: ArcSwap<HashMap<Slug, Arc<App>>>,
    statuses: ArcSwap<Vec<PluginStatus>>,
}

impl Registry {
    /// Looks through the folder for the first time.
    ///
    /// # Errors
    /// Where the folder or the lock file cannot be read. A plugin that cannot be admitted is no error: it is listed with
    /// the reason.
    pub async fn open(
        settings: RegistrySettings,
        sandbox: Arc<Sandbox>,
        egress: Arc<Egress>,
    ) -> Result<Arc<Self>, RegistryError> {
        let registry = Arc::new(Self {
            admitter: Admitter { sandbox, egress, policy: settings.policy },
            settings,
            entries: Mutex::default(),
            apps: ArcSwap::default(),
            statuses: ArcSwap::default(),
        });
        registry.look().await?;
        Ok(registry)
    }

    /// The folder that it looks through.
    pub fn folder(&self) -> &Path {
        &self.settings.folder
    }

    /// The plugin that serves an app now.
    pub fn app(&self, slug: &Slug) -> Option<Arc<App>> {
        self.apps.load().get(slug).cloned()
    }

    /// All that serve now, by slug.
    pub fn apps(&self) -> Vec<Arc<App>> {
        let mut apps: Vec<_> = self.apps.load().values().cloned().collect();
        apps.sort_by(|a, b| a.description.slug.cmp(&b.description.slug));
        apps
    }

    /// Every file of the folder and what became of it.
    pub fn statuses(&self) -> Arc<Vec<PluginStatus>> {
        self.statuses.load_full()
    }

    /// Looks through the folder again. What cannot be read is logged and leaves everything as it was.
    pub async fn rescan(&self) {
        if let Err(error) = self.look().await {
            tracing::error!(%error, "the plugins stay as they are");
        }
    }

    /// Records a grant of what a plugin asks for and lets it serve. `target` is a slug or a file name.
    ///
    /// # Errors
    /// Where there is no such plugin, it cannot be admitted at all, or the lock file cannot be written.
    pub async fn grant(&self, target: &str, wasi: WasiGrant) -> Result<PluginGrant, RegistryError> {
        self.look().await?;
        let status = self.find(target)?;
        let refuse = |reason: String| RegistryError::Refused { file: status.file.clone(), reason };
        let Some(digest) = status.digest else {
            return Err(refuse(status.reason.clone().unwrap_or_else(|| "it could not be read".to_owned())));
        };
        let needs_wasi = status.state == PluginState::NeedsWasi;
        if status.state == PluginState::Refused || (needs_wasi && wasi == WasiGrant::None) {
            return Err(refuse(status.reason.clone().unwrap_or_default()));
        }
        let mut lock = GrantLock::read(&self.settings.lock)?;
        let mut grant = lock.of(&digest).cloned().unwrap_or_else(|| PluginGrant::nothing(digest));
        grant.wasi = if needs_wasi { WasiGrant::Sealed } else { grant.wasi };
        grant.slug = status.slug.clone();
        grant.requests = status.requests.clone();
        grant.secrets = status.secret_access.unwrap_or(SecretAccess::Handles);
        lock.insert(grant.clone());
        lock.write(&self.settings.lock)?;
        self.look().await?;
        if needs_wasi {
            // Only now could it be asked what else it wants, and that is for the operator to see before it is granted.
            tracing::info!(file = %status.file.display(), "sealed WASI is granted; grant its requests next");
        }
        Ok(grant)
    }

    /// The status of the plugin with that slug or file name; of two, the one that waits.
    ///
    /// # Errors
    /// Where there is none.
    pub fn find(&self, target: &str) -> Result<PluginStatus, RegistryError> {
        let statuses = self.statuses();
        let named = |status: &&PluginStatus| {
            status.slug.as_ref().is_some_and(|slug| slug.as_str() == target)
                || status.file.file_name().is_some_and(|name| name == target)
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
        let lock = GrantLock::read(&self.settings.lock)?;
        let files = file::list(&self.settings.folder)
            .map_err(|source| RegistryError::Folder { folder: self.settings.folder.clone(), source })?;
        let mut before: HashMap<PathBuf, Entry> =
            entries.drain(..).map(|entry| (entry.status.file.clone(), entry)).collect();
        let mut now: Vec<Entry> = Vec::with_capacity(files.len());
        for (path, stamp) in files {
            let entry = match before.remove(&path) {
                Some(entry) if entry.is_settled(&stamp, &lock) => entry,
                known => {
                    let admission = self.admitter.admit(&path, &lock).await;
                    let others = now.iter().chain(before.values());
                    let entry = place(admission, stamp, known, others);
                    entry.status.announce();
                    entry
                }
            };
            now.push(entry);
        }
        for gone in before.into_values() {
            tracing::info!(file = %gone.status.file.display(), "plugin removed");
        }
        let apps: HashMap<_, _> =
            now.iter().filter_map(|e| e.serving.clone()).map(|app| (app.description.slug.clone(), app)).collect();
        self.apps.store(Arc::new(apps));
        self.statuses.store(Arc::new(now.iter().map(|entry| entry.status.clone()).collect()));
        *entries = now;
        Ok(())
    }
}

/// Gives what was admitted its place among the others. `known` is what was at its path before.
fn place<'a>(
    admission: Admission,
    stamp: Stamp,
    known: Option<Entry>,
    mut others: impl Iterator<Item = &'a Entry>,
) -> Entry {
    let Admission { mut status, grant, app } = admission;
    // The last good version goes on where the new one cannot serve, unless the new one is that very component, whose grant
    // must then have been withdrawn.
    let last_good = known.and_then(|entry| entry.serving).filter(|app| Some(app.digest) != status.digest);
    let twin = app.as_ref().and_then(|app| {
        others.find(|other| other.serving.as_ref().is_some_and(|s| s.description.slug == app.description.slug))
    });
    let serving = match (twin, app) {
        (Some(twin), _) => {
            status.state = PluginState::Duplicate;
            status.reason = Some(format!(
                "{} and {} both say that they are `{}`; the former serves, remove one of them",
                twin.status.file.display(),
                status.file.display(),
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
