//! A plugin folder that is a copy of what several servers have in common: made like it, and compared with it.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::description::Digest;
use super::grants::{GrantLock, PluginGrant};
use super::registry::{Registry, RegistryError, blocking};
use super::status::PluginStatus;
use super::versions;
use keyferry_types::path_text::ShowPath as _;

/// A plugin file, as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredFile {
    /// Name of the file in the folder.
    pub name: String,
    /// What is in it.
    pub digest: Digest,
    /// What was in it before, the oldest first.
    pub former: Vec<Digest>,
}

impl Registry {
    /// Components that are needed to make the folder and the kept versions like this.
    pub fn missing(&self, files: &[MirroredFile]) -> Vec<Digest> {
        let mut missing = Vec::new();
        for MirroredFile { name, digest, former } in files {
            let path = self.settings.folder.join(name);
            if self.digest_of(&path) != Some(*digest) {
                missing.push(*digest);
            }
            let kept: HashSet<Digest> = self.versions.of(&path).iter().map(|version| version.sha256).collect();
            missing.extend(former.iter().filter(|former| !kept.contains(former)));
        }
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Makes lock file, folder and kept versions like these, and looks through them. `components` has what is [missing](Self::missing).
    ///
    /// # Errors
    /// If the lock file or the folder cannot be written.
    pub async fn mirror(
        &self,
        files: Vec<MirroredFile>,
        grants: Vec<PluginGrant>,
        components: HashMap<Digest, Vec<u8>>,
    ) -> Result<(), RegistryError> {
        let mut lock = GrantLock::default();
        grants.into_iter().for_each(|grant| lock.insert(grant));
        // First of all: what is revoked stops to serve, and a new file finds its grant.
        lock.write(&self.settings.lock)?;
        let gone: Vec<_> = {
            let is_wanted = |file: &Path| files.iter().any(|wanted| file.ends_with(&wanted.name));
            let statuses = self.statuses();
            statuses.iter().map(|status| status.file.clone()).filter(|file| !is_wanted(file)).collect()
        };
        let (folder, kept) = (self.settings.folder.clone(), self.versions.clone());
        let written = blocking(move || {
            for MirroredFile { name, digest, former } in &files {
                let path = folder.join(name);
                for former in former {
                    let bytes =
                        components.get(former).filter(|_| kept.of(&path).iter().all(|kept| kept.sha256 != *former));
                    if let Some(Err(error)) = bytes.map(|bytes| kept.keep(&path, *former, bytes)) {
                        tracing::warn!(file = %path.shown(), %error, "a former version is not kept here");
                    }
                }
                if let Some(bytes) = components.get(digest) {
                    versions::write(&folder, &path, bytes).map_err(|source| (path.clone(), source))?;
                }
            }
            for file in gone {
                std::fs::remove_file(&file).map_err(|source| (file.clone(), source))?;
            }
            Ok::<_, (std::path::PathBuf, std::io::Error)>(())
        });
        let written =
            written.await.map_err(|source| RegistryError::Write { file: self.settings.folder.clone(), source })?;
        written.map_err(|(file, source)| RegistryError::Write { file, source })?;
        self.look().await
    }

    /// What the folder and the lock file have: names of files with their digests, and grants.
    ///
    /// # Errors
    /// If the lock file cannot be read.
    pub async fn mirrored(&self) -> Result<(Vec<(String, Digest)>, Vec<PluginGrant>), RegistryError> {
        let lock = self.lock().await?;
        let named = |status: &PluginStatus| {
            let name = status.file.file_name()?.to_str()?.to_owned();
            Some((name, status.digest?))
        };
        let files = self.statuses().iter().filter_map(named).collect();
        Ok((files, lock.all().to_vec()))
    }

    fn digest_of(&self, path: &Path) -> Option<Digest> {
        self.statuses().iter().find(|status| status.file == path)?.digest
    }
}
