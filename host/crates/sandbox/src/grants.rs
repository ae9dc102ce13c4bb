//! Grants of the operator, by component: the lock file `keyferry.lock`.
//!
//! A grant belongs to a digest. A file with other bytes has no grant, under any name.
//!
//! ```toml
//! [[plugin]]
//! slug = "slack"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! requests = ["POST https://slack.com/api/auth.test/*"]
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::description::{Digest, SecretAccess};
use keyferry_egress::Grant;
use keyferry_types::bounded_file::{self, LARGE};
use keyferry_types::ids::Slug;
use keyferry_types::path_text::ShowPath as _;

/// Who decides which requests a plugin may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantPolicy {
    /// The operator: what the lock file records, and nothing else.
    Recorded,
    /// Everyone with write access to the folder: a plugin without a recorded entry gets the requests that it asks for.
    /// Reading secrets and WASI still need an entry.
    OnDrop,
}

/// Whether a component may import WASI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WasiGrant {
    /// Imports of WASI are refused.
    #[default]
    None,
    /// It may, and finds nothing behind it: no files, no environment, no arguments, no sockets; what it prints goes to
    /// the plugin's log.
    Sealed,
}

/// Whether a grant holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GrantState {
    /// The grant is in force.
    #[default]
    Granted,
    /// The operator took it back. The entry stays, so that nothing grants it anew unasked.
    Revoked,
}

/// The grant of one digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginGrant {
    /// The app it said it is when the grant was made. For people; the digest decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<Slug>,
    /// Digest of the component.
    pub sha256: Digest,
    /// The requests it may make, one line each: `GET,POST https://api.example.com/v1/*`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub requests: Vec<Grant>,
    /// The requests it may make to renew credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub renewal_requests: Vec<Grant>,
    /// Whether it is given secrets as plain text.
    #[serde(default = "handles", skip_serializing_if = "is_handles")]
    pub secrets: SecretAccess,
    /// Fields that it may read as text although they look secret: `keybased.api_key`. An entry without them, as earlier versions
    /// wrote, lets it read none such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads_text: Vec<String>,
    /// Whether it may import WASI.
    #[serde(default, skip_serializing_if = "is_no_wasi")]
    pub wasi: WasiGrant,
    /// Whether the grant is in force.
    #[serde(default, rename = "standing", skip_serializing_if = "is_granted")]
    pub state: GrantState,
    /// When it ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<jiff::Timestamp>,
    /// Bytes of memory, where the default does not suffice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<usize>,
    /// Bytes of file, where the default does not suffice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<usize>,
}

fn handles() -> SecretAccess {
    SecretAccess::Handles
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this shape")]
fn is_handles(access: &SecretAccess) -> bool {
    *access == SecretAccess::Handles
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this shape")]
fn is_no_wasi(wasi: &WasiGrant) -> bool {
    *wasi == WasiGrant::None
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this shape")]
fn is_granted(state: &GrantState) -> bool {
    *state == GrantState::Granted
}

impl PluginGrant {
    /// Whether it holds at a time.
    pub fn is_in_force(&self, now: jiff::Timestamp) -> bool {
        self.state == GrantState::Granted && self.ends_at.is_none_or(|end| now < end)
    }

    /// A grant of nothing at all.
    pub fn nothing(sha256: Digest) -> Self {
        Self {
            slug: None,
            sha256,
            requests: Vec::new(),
            renewal_requests: Vec::new(),
            secrets: SecretAccess::Handles,
            reads_text: Vec::new(),
            wasi: WasiGrant::None,
            state: GrantState::Granted,
            ends_at: None,
            memory_bytes: None,
            file_bytes: None,
        }
    }
}

/// A lock file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum GrantLockError {
    #[error("cannot read the grants in {}: {source}", path.shown())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}:{line}: the grants are not well formed: {problem}; nothing is granted until it is mended", path.shown())]
    Parse { path: PathBuf, line: usize, problem: String },
    #[error("cannot write the grants to {}: {source}", path.shown())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot write the grants as TOML: {0}")]
    Format(#[from] toml::ser::Error),
}

/// Content of the lock file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantLock {
    #[serde(default, rename = "plugin")]
    plugins: Vec<PluginGrant>,
    /// Line of each digest's entry in the file, for messages.
    #[serde(skip)]
    lines: HashMap<Digest, String>,
}

impl GrantLock {
    /// Reads the file; one that does not exist grants nothing.
    ///
    /// # Errors
    /// If it cannot be read or does not parse. Nothing is granted then.
    pub fn read(path: &Path) -> Result<Self, GrantLockError> {
        let failed = |source| GrantLockError::Read { path: path.to_owned(), source };
        let file = match bounded_file::read(path, LARGE) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(failed(source)),
        };
        Self::parse(path, file.text().map_err(failed)?)
    }

    /// Reads the text of the file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, GrantLockError> {
        let malformed = |error: toml::de::Error| {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            let (line, problem) = (before.matches('\n').count() + 1, error.message().to_owned());
            GrantLockError::Parse { path: path.to_owned(), line, problem }
        };
        let mut lock: Self = toml::from_str(text).map_err(malformed)?;
        for grant in &lock.plugins {
            let digest = grant.sha256.to_string();
            let mut lines = (1..).zip(text.lines()).filter(|(_, line)| line.contains(&digest)).map(|(line, _)| line);
            let line = lines.next().unwrap_or(1);
            if lock.lines.insert(grant.sha256, format!("{}:{line}", path.shown())).is_some() {
                // One could grant what the other takes back.
                let problem = format!("there are two entries for {digest}, and there must be one");
                return Err(GrantLockError::Parse {
                    path: path.to_owned(),
                    line: lines.next().unwrap_or(line),
                    problem,
                });
            }
        }
        Ok(lock)
    }

    /// Position of a digest's entry: `keyferry.lock:12`.
    pub fn place(&self, digest: &Digest) -> &str {
        self.lines.get(digest).map_or("the lock", String::as_str)
    }

    /// All entries, in the order of the file.
    pub fn all(&self) -> &[PluginGrant] {
        &self.plugins
    }

    /// The grant of that component.
    pub fn of(&self, digest: &Digest) -> Option<&PluginGrant> {
        self.plugins.iter().find(|grant| grant.sha256 == *digest)
    }

    /// Adds a grant, in the place of any other for that digest.
    pub fn insert(&mut self, grant: PluginGrant) {
        self.plugins.retain(|other| other.sha256 != grant.sha256);
        self.plugins.push(grant);
        self.plugins.sort_by(|a, b| (&a.slug, a.sha256).cmp(&(&b.slug, b.sha256)));
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn write(&self, path: &Path) -> Result<(), GrantLockError> {
        let text = format!(
            "# What each plugin may do, bound to the component's sha256. Written by `keyferry plugin grant`.\n\n{}",
            toml::to_string(self)?
        );
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        super::versions::write(folder, path, text.as_bytes())
            .map_err(|source| GrantLockError::Write { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_survives_the_file_and_belongs_to_its_digest_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyferry.lock");
        let mut lock = GrantLock::read(&path).unwrap();
        let grant = PluginGrant {
            slug: Some("slack".parse().unwrap()),
            requests: vec!["POST https://slack.com/api/auth.test/*".parse().unwrap()],
            memory_bytes: Some(64 << 20),
            ..PluginGrant::nothing(Digest::of(b"one"))
        };
        lock.insert(PluginGrant::nothing(Digest::of(b"one")));
        lock.insert(grant.clone());
        lock.write(&path).unwrap();
        let read = GrantLock::read(&path).unwrap();
        assert_eq!(read.of(&Digest::of(b"one")), Some(&grant));
        assert_eq!(read.of(&Digest::of(b"two")), None);
    }

    #[test]
    fn a_lock_with_two_entries_for_one_component_grants_nothing() {
        let entry = format!("[[plugin]]\nsha256 = \"{}\"\n", Digest::of(b"x"));
        let text = format!("{entry}{entry}standing = \"revoked\"\n");
        let error = GrantLock::parse(Path::new("keyferry.lock"), &text).unwrap_err().to_string();
        assert!(error.starts_with("keyferry.lock:4: ") && error.contains("two entries"), "{error}");
    }

    #[test]
    fn a_lock_with_an_unknown_word_grants_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyferry.lock");
        std::fs::write(&path, format!("[[plugin]]\nsha256 = \"{}\"\nrequest = [\"*\"]\n", Digest::of(b"x"))).unwrap();
        assert!(matches!(GrantLock::read(&path), Err(GrantLockError::Parse { .. })));
    }
}
