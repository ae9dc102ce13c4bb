//! [`SharedPlugins`]: the plugins of several servers on one database. Files and grants are in the store; each server has a copy of them
//! in a folder of its own, which its registry serves.
//!
//! An operator's change is made in the copy of one server, and stored if no other change came first. The other servers see that there is a
//! change, and make their copies like it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::retry::MAX_ATTEMPTS;
use keyferry_sandbox::{Allowed, Digest, MirroredFile, PluginGrant, PluginStatus, Registry, RegistryError, RolledBack};
use keyferry_store::{
    ComponentKey, Kept, PLUGIN_PART, PluginChange, SharedFile, SharedGrant, SharedPlugins as Stored, Store, StoreError,
};

/// Former components of a file that are kept.
const MOST_FORMER: usize = 3;
/// The pause before what has failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A change to the plugins of all servers, or their copy on this one, failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SharedPluginError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("the plugins of the database: {0}")]
    Store(#[from] StoreError),
    #[error("the plugins of the database: {0}")]
    Damaged(String),
    #[error("{0}")]
    Refused(String),
    #[error("others are changing the plugins at the same time; try again")]
    Contended,
}

/// What an operator does.
enum Act<'a> {
    Push { name: &'a str, component: &'a ComponentKey },
    Grant { target: &'a str, shown: Option<Digest>, allowed: Allowed },
    Revoke { target: &'a str },
    RollBack { target: &'a str, to: Option<&'a str> },
}

/// What came of it.
enum Done {
    Pushed,
    Granted(Box<PluginGrant>),
    Revoked(Vec<PluginGrant>),
    RolledBack(RolledBack),
}

/// The plugins of several servers, and their copy here.
pub struct SharedPlugins {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    /// What the copy was made like; `None` where it may differ. Held while the copy is changed.
    here: Mutex<Option<Stored>>,
}

impl SharedPlugins {
    /// The plugins in this store, of which this registry serves a copy.
    pub fn new(store: Arc<dyn Store>, registry: Arc<Registry>) -> Arc<Self> {
        Arc::new(Self { store, registry, here: Mutex::new(None) })
    }

    /// Makes the copy like the store.
    ///
    /// # Errors
    /// If the store cannot be read, or the folder of the copy cannot be written.
    pub async fn pull(&self) -> Result<(), SharedPluginError> {
        self.pull_into(&mut *self.here.lock().await).await.map(|_| ())
    }

    /// Pulls whenever another server has changed something. Ends at once for a store of one server.
    pub async fn follow(self: Arc<Self>) {
        let Some(peers) = self.store.peers() else { return };
        let mut changes = peers.changes(Kept::Plugins);
        loop {
            while let Err(error) = self.pull().await {
                tracing::warn!(%error, "what another server has changed of plugins is not here yet");
                tokio::time::sleep(PAUSE).await;
            }
            if !changes.next().await {
                return;
            }
        }
    }

    /// Stores one part of a component that is to be [pushed](Self::push).
    ///
    /// # Errors
    /// If it is too large, or cannot be stored.
    pub async fn put_part(&self, sha256: Digest, part: u32, bytes: Vec<u8>) -> Result<(), SharedPluginError> {
        Ok(self.store.put_component_part(&sha256.to_string(), part, bytes).await?)
    }

    /// Makes a component whose parts are stored the content of a plugin file, on all servers. Returns its state on this one.
    ///
    /// # Errors
    /// If its name is not that of a plugin file, its parts are not those of `sha256`, or it cannot be stored.
    pub async fn push(&self, name: &str, sha256: Digest, parts: u32) -> Result<PluginStatus, SharedPluginError> {
        let stem = name.strip_suffix(".wasm").unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if stem.is_empty() || stem.starts_with('.') || name.len() > 128 || !stem.bytes().all(is_plain) {
            return Err(SharedPluginError::Refused(format!(
                "{name:?} is no name of a plugin file: letters, digits, `-`, `_` and `.`, and `.wasm` at its end"
            )));
        }
        // Read back: servers that find something else there would serve nothing new any more.
        self.component(sha256, parts).await?;
        let component = ComponentKey { sha256: sha256.to_string(), parts };
        self.change(Act::Push { name, component: &component }).await?;
        Ok(self.registry.find(name)?)
    }

    /// Does what [`Registry::grant`] does, on all servers.
    ///
    /// # Errors
    /// As there, and if it cannot be stored.
    pub async fn grant(
        &self,
        target: &str,
        shown: Option<Digest>,
        allowed: Allowed,
    ) -> Result<PluginGrant, SharedPluginError> {
        match self.change(Act::Grant { target, shown, allowed }).await? {
            Done::Granted(grant) => Ok(*grant),
            _ => Err(SharedPluginError::Contended),
        }
    }

    /// Does what [`Registry::revoke`] does, on all servers.
    ///
    /// # Errors
    /// As there, and if it cannot be stored.
    pub async fn revoke(&self, target: &str) -> Result<Vec<PluginGrant>, SharedPluginError> {
        match self.change(Act::Revoke { target }).await? {
            Done::Revoked(grants) => Ok(grants),
            _ => Err(SharedPluginError::Contended),
        }
    }

    /// Does what [`Registry::rollback`] does, on all servers.
    ///
    /// # Errors
    /// As there, and if it cannot be stored.
    pub async fn roll_back(&self, target: &str, to: Option<&str>) -> Result<RolledBack, SharedPluginError> {
        match self.change(Act::RollBack { target, to }).await? {
            Done::RolledBack(done) => Ok(done),
            _ => Err(SharedPluginError::Contended),
        }
    }

    /// Changes the copy and stores the change, again where another one came first.
    async fn change(&self, act: Act<'_>) -> Result<Done, SharedPluginError> {
        let mut here = self.here.lock().await;
        for _ in 0..MAX_ATTEMPTS {
            let stored = self.pull_into(&mut here).await?;
            // Whatever fails from here on leaves a copy that differs from the store.
            *here = None;
            let (done, change) = self.changed(&stored, &act).await?;
            match self.store.change_plugins(change).await {
                Ok(_) => {
                    self.pull_into(&mut here).await?;
                    return Ok(done);
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => {
                    // The operator sees an error, and no server may serve what was not stored.
                    self.pull_into(&mut here).await?;
                    return Err(error.into());
                }
            }
        }
        self.pull_into(&mut here).await?;
        Err(SharedPluginError::Contended)
    }

    /// Lets the registry do what an operator wants with the copy. Returns what differs from the store afterwards.
    async fn changed(&self, stored: &Stored, act: &Act<'_>) -> Result<(Done, PluginChange), SharedPluginError> {
        let done = match act {
            Act::Push { name, component } => return Ok((Done::Pushed, pushed(stored, name, component))),
            Act::Grant { target, shown, allowed } => {
                Done::Granted(Box::new(self.registry.grant(target, *shown, allowed.clone()).await?))
            }
            Act::Revoke { target } => Done::Revoked(self.registry.revoke(target).await?),
            Act::RollBack { target, to } => Done::RolledBack(self.registry.rollback(target, *to).await?),
        };
        let (files, grants) = self.registry.mirrored().await?;
        let mut change = PluginChange { expected: stored.version, ..PluginChange::default() };
        for (name, digest) in files {
            let Some(known) = stored.files.iter().find(|file| file.name == name) else { continue };
            let sha256 = digest.to_string();
            // A rollback: what is in the file now was in it before.
            if let Some(component) = known.former.iter().find(|former| former.sha256 == sha256) {
                change.put.push(replaced(known, component));
            }
        }
        for grant in grants {
            let sha256 = grant.sha256.to_string();
            let grant = serde_json::to_string(&grant).map_err(|error| SharedPluginError::Damaged(error.to_string()))?;
            let grant = SharedGrant { sha256, grant };
            if !stored.grants.contains(&grant) {
                change.grants.push(grant);
            }
        }
        Ok((done, change))
    }

    /// Makes the copy like the store, unless it is already. Returns what is stored.
    async fn pull_into(&self, here: &mut Option<Stored>) -> Result<Stored, SharedPluginError> {
        let stored = self.store.shared_plugins().await?;
        if here.as_ref().is_some_and(|here| here.version == stored.version) {
            return Ok(stored);
        }
        let digest = |component: &ComponentKey| component.sha256.parse::<Digest>().map_err(SharedPluginError::Damaged);
        let mut files = Vec::with_capacity(stored.files.len());
        let mut parts: BTreeMap<Digest, u32> = BTreeMap::new();
        for file in &stored.files {
            let former = file.former.iter().map(digest).collect::<Result<Vec<_>, _>>()?;
            for component in file.former.iter().chain([&file.component]) {
                parts.insert(digest(component)?, component.parts);
            }
            files.push(MirroredFile { name: file.name.clone(), digest: digest(&file.component)?, former });
        }
        let grants: Result<Vec<PluginGrant>, _> =
            stored.grants.iter().map(|grant| serde_json::from_str(&grant.grant)).collect();
        let grants = grants.map_err(|error| SharedPluginError::Damaged(format!("a grant is not readable: {error}")))?;
        let mut components = HashMap::new();
        for missing in self.registry.missing(&files) {
            let bytes = self.component(missing, parts.get(&missing).copied().unwrap_or_default()).await?;
            components.insert(missing, bytes);
        }
        self.registry.mirror(files, grants, components).await?;
        *here = Some(stored.clone());
        Ok(stored)
    }

    /// A component, put together and compared with its digest.
    async fn component(&self, digest: Digest, parts: u32) -> Result<Vec<u8>, SharedPluginError> {
        let (sha256, mut bytes) = (digest.to_string(), Vec::new());
        for part in 0..parts {
            let part = self.store.component_part(&sha256, part).await?;
            bytes.extend(part.ok_or_else(|| SharedPluginError::Damaged(format!("a part of {sha256} is missing")))?);
        }
        match Digest::of(&bytes) == digest {
            true => Ok(bytes),
            false => Err(SharedPluginError::Damaged(format!("what is stored as {sha256} has another digest"))),
        }
    }
}

/// The change that makes a component the content of a file.
fn pushed(stored: &Stored, name: &str, component: &ComponentKey) -> PluginChange {
    let known = stored.files.iter().find(|file| file.name == name);
    let file = match known {
        Some(known) if known.component == *component => None,
        Some(known) => Some(replaced(known, component)),
        None => Some(SharedFile { name: name.to_owned(), component: component.clone(), former: Vec::new() }),
    };
    PluginChange { expected: stored.version, put: file.into_iter().collect(), ..PluginChange::default() }
}

/// A file with another component. What was in it before stays, to go back to.
fn replaced(file: &SharedFile, component: &ComponentKey) -> SharedFile {
    let mut former: Vec<ComponentKey> = file.former.iter().filter(|former| *former != component).cloned().collect();
    former.push(file.component.clone());
    former.drain(..former.len().saturating_sub(MOST_FORMER));
    SharedFile { name: file.name.clone(), component: component.clone(), former }
}

/// The parts of a component, in their order.
pub fn parts(component: &[u8]) -> impl Iterator<Item = &[u8]> {
    component.chunks(PLUGIN_PART)
}
