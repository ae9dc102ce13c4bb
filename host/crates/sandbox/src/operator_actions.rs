//! What an operator does to a plugin: grant its requests, revoke its grants, roll its file back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::admission::reads_text_reason;
use super::description::{Digest, SecretAccess};
use super::field_reads::{self, FieldRead, Reads};
use super::grants::{GrantState, PluginGrant, WasiGrant};
use super::registry::{Registry, RegistryError, is_granted};
use super::status::PluginState;
use super::versions;
use keyferry_types::path_text::{self, ShowPath as _};

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
    /// Whether it may renew credentials.
    pub renewal: RenewalGrant,
    /// When the grant ends, if it does.
    pub ends_at: Option<jiff::Timestamp>,
}

/// Whether a grant covers the requests of renewals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RenewalGrant {
    /// What is recorded of it stays.
    #[default]
    AsRecorded,
    /// The plugin may renew.
    Granted,
}

impl Registry {
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
        let Allowed { wasi, reads_text, renewal, ends_at } = allowed;
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
        (grant.state, grant.ends_at) = (GrantState::Granted, ends_at);
        grant.wasi = if needs_wasi { WasiGrant::Sealed } else { grant.wasi };
        grant.slug = status.slug.clone();
        grant.requests = status.requests.clone();
        if renewal == RenewalGrant::Granted {
            grant.renewal_requests = status.renewal_requests.clone();
        }
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
        let ungranted = field_reads::ungranted(&status.reads, &grant.reads_text).join(",");
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

    /// Revokes every grant of an app: of the file, of the version that serves, of every other entry of the lock under its slug, and
    /// of what is kept of the file, unless it was granted as another app. It stops serving at once, and only a new grant lets it serve again.
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
        let is_another_app =
            |digest: &Digest| lock.of(digest).is_some_and(|grant| grant.slug.is_some() && grant.slug != status.slug);
        let kept = self.versions.of(&status.file);
        digests.extend(kept.iter().map(|version| version.sha256).filter(|digest| !is_another_app(digest)));
        digests.sort_unstable();
        digests.dedup();
        let revoked: Vec<PluginGrant> = digests
            .into_iter()
            .map(|digest| PluginGrant {
                slug: status.slug.clone(),
                state: GrantState::Revoked,
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
            return Err(no_way(match (list.as_slice(), to) {
                ([], _) => "no version of it has served yet".to_owned(),
                (some, Some(prefix)) => format!("no kept version begins with {prefix}; kept are {}", some.join(", ")),
                (some, None) => format!("no earlier version is kept; kept are {}", some.join(", ")),
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
}
