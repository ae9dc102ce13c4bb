//! From a file to a plugin that may serve: size, imports, compilation, description, grant, in this order, so that nothing
//! is done with a file that the step before would have refused.

use std::path::Path;
use std::sync::Arc;

use super::app::App;
use super::component_interface::{self, ComponentInterface, Wasi};
use super::description::{AppDescription, Digest, SecretAccess};
use super::field_reads;
use super::grants::{GrantLock, GrantPolicy, GrantState, PluginGrant, WasiGrant};
use super::plugin_file;
use super::sandbox::Sandbox;
use super::status::{PluginState, PluginStatus};
use keyferry_egress::{AppClient, Egress, Grant, GrantConcern, GrantSet};
use keyferry_schema::is_unfit;
use keyferry_types::ids::Slug;

/// Maximum of a file's bytes that a grant can allow.
const MAX_FILE: usize = 256 * 1024 * 1024;
/// Maximum length of a reason, in characters.
const MAX_REASON: usize = 1000;

/// Checks a file and decides whether its plugin serves.
pub(super) struct Admitter {
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) egress: Arc<Egress>,
    pub(super) policy: GrantPolicy,
}

/// Result of checking one file alone, before it is compared with other files.
pub(super) struct Admission {
    pub(super) status: PluginStatus,
    pub(super) grant: Option<PluginGrant>,
    pub(super) app: Option<App>,
    /// Content of the file, kept as a version if it serves.
    pub(super) bytes: Arc<Vec<u8>>,
}

/// What a plugin may do.
struct Granted {
    requests: Vec<Grant>,
    renewal: Vec<Grant>,
    secret_access: SecretAccess,
}

/// State and reason of a file that is not admitted.
type Rejection = (PluginState, String);

fn refused(reason: impl ToString) -> Rejection {
    (PluginState::Refused, reason.to_string())
}

/// A reason on one line that is safe for a log and a terminal: it may quote names that the file chose, and parsers'
/// messages of several lines.
fn one_line(reason: &str) -> String {
    let spaced: String = reason.chars().map(|c| if is_unfit(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_REASON).collect()
}

/// The reason of a plugin that waits because it reads fields as text that look secret.
pub(super) fn reads_text_reason(slug: &Slug, fields: &str) -> String {
    format!(
        "it reads {fields} as text, which looks secret and is not marked so; `keyferry plugin grant {slug} --reads-text {fields}` \
         lets it, or its author marks the field secret"
    )
}

impl Admission {
    /// Result for a file that is not opened.
    pub(super) fn unfit(path: &Path, reason: &str) -> Self {
        let mut status = PluginStatus::new(path.to_owned());
        status.reason = Some(reason.to_owned());
        Self { status, grant: None, app: None, bytes: Arc::default() }
    }
}

impl Admitter {
    /// Admits the file at a path.
    pub(super) async fn admit(&self, path: &Path, lock: &GrantLock) -> Admission {
        let file = path.to_owned();
        // The grant follows from the digest, which needs the bytes: read as many as the most generous grant allows.
        let granted = lock.all().iter().filter_map(|grant| grant.file_bytes).max().unwrap_or_default();
        let most = self.sandbox.limits().file_bytes.max(granted).min(MAX_FILE);
        let read = tokio::task::spawn_blocking(move || plugin_file::read(&file, most)).await;
        let read =
            read.map_err(refused).and_then(|read| read.map_err(|error| refused(format!("it cannot be read: {error}"))));
        self.admit_bytes(path, read, lock).await
    }

    /// Admits a kept version of the file at a path.
    pub(super) async fn admit_kept(&self, path: &Path, bytes: Vec<u8>, lock: &GrantLock) -> Option<App> {
        self.admit_bytes(path, Ok(bytes), lock).await.app
    }

    async fn admit_bytes(&self, path: &Path, read: Result<Vec<u8>, Rejection>, lock: &GrantLock) -> Admission {
        let status = PluginStatus::new(path.to_owned());
        let mut admission = Admission { status, grant: None, app: None, bytes: Arc::default() };
        let steps = match read {
            Ok(bytes) => {
                admission.bytes = Arc::new(bytes);
                self.steps(&mut admission, lock).await
            }
            Err(rejection) => Err(rejection),
        };
        match steps {
            Ok(app) => {
                admission.status.state = PluginState::Active;
                admission.app = Some(app);
            }
            Err((state, reason)) => {
                admission.status.state = state;
                admission.status.reason = Some(one_line(&reason));
            }
        }
        admission
    }

    async fn steps(&self, admission: &mut Admission, lock: &GrantLock) -> Result<App, Rejection> {
        let status = &mut admission.status;
        let bytes = Arc::clone(&admission.bytes);
        status.bytes = bytes.len();
        let digest = self.on_compiler(&bytes, Digest::of).await?;
        status.digest = Some(digest);
        let grant = lock.of(&digest).cloned();
        admission.grant.clone_from(&grant);

        let most = grant.as_ref().and_then(|grant| grant.file_bytes).unwrap_or(self.sandbox.limits().file_bytes);
        if bytes.len() > most {
            let reason = format!(
                "it has {} bytes, and {most} are allowed; build it smaller, or give its sha256 more `file-bytes` in the lock",
                bytes.len()
            );
            return Err(refused(reason));
        }
        let read = |bytes: &[u8]| {
            let contract =
                ComponentInterface::read(bytes).ok().and_then(|interface| interface.contract().map(str::to_owned));
            (contract, component_interface::check(bytes))
        };
        let (contract, imported) = self.on_compiler(&bytes, read).await?;
        status.contract = contract;
        status.ends_at = grant.as_ref().and_then(|grant| grant.ends_at);
        let wasi = grant
            .as_ref()
            .filter(|grant| grant.is_in_force(jiff::Timestamp::now()))
            .map(|grant| grant.wasi)
            .unwrap_or_default();
        if imported.map_err(refused)? == Wasi::Needed && wasi == WasiGrant::None {
            let reason = format!(
                "it imports WASI; `keyferry plugin grant {} --wasi sealed` lets it run with nothing behind it",
                status.title()
            );
            return Err((PluginState::NeedsWasi, reason));
        }
        let (sandbox, memory_bytes) = (Arc::clone(&self.sandbox), grant.as_ref().and_then(|grant| grant.memory_bytes));
        let compile = move |bytes: &[u8]| sandbox.compile(&digest, bytes, wasi, memory_bytes);
        let compiled = self.on_compiler(&bytes, compile).await?.map_err(refused)?;
        let name: Arc<str> = status.title().into();
        let description = self.sandbox.describe(&compiled, name).await.map_err(refused)?;

        status.slug = Some(description.slug.clone());
        status.name = Some(description.name.clone());
        status.requests.clone_from(&description.requested);
        status.renewal_requests = description.renewal_requests();
        let all: Vec<Grant> = description.requested.iter().chain(&status.renewal_requests).cloned().collect();
        status.concerns = GrantConcern::of(&all);
        status.secret_access = Some(description.secret_access);
        status.reads = description.field_reads();
        if let Some(unanchored) = field_reads::unanchored_hint(&description.schema) {
            return Err(refused(unanchored));
        }
        let Granted { requests: granted, renewal, secret_access } = self.granted(&description, grant.as_ref(), lock)?;
        status.granted.clone_from(&granted);
        status.renewal_granted.clone_from(&renewal);
        let client = Arc::new(AppClient::new(&self.egress).map_err(refused)?);
        Ok(App {
            name: description.slug.as_str().into(),
            description,
            digest,
            grants: Arc::new(GrantSet::new(granted)),
            renewal_grants: Arc::new(GrantSet::new(renewal)),
            ends_at: grant.as_ref().and_then(|grant| grant.ends_at),
            secret_access,
            compiled,
            client,
            sandbox: Arc::clone(&self.sandbox),
            egress: Arc::clone(&self.egress),
        })
    }

    /// Runs long work on a file's bytes on the threads of the compiler, not on those that serve requests.
    async fn on_compiler<T: Send + 'static>(
        &self,
        bytes: &Arc<Vec<u8>>,
        work: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<T, Rejection> {
        let bytes = Arc::clone(bytes);
        self.sandbox.compiler().run(move || work(&bytes)).await.map_err(refused)
    }

    fn granted(
        &self,
        description: &AppDescription,
        recorded: Option<&PluginGrant>,
        lock: &GrantLock,
    ) -> Result<Granted, Rejection> {
        let slug = &description.slug;
        let pending = |what: &str| {
            Err((
                PluginState::Pending,
                format!("{what}; `keyferry plugin grant {slug}` shows what it asks for and grants it"),
            ))
        };
        match recorded {
            Some(PluginGrant { state: GrantState::Revoked, sha256, .. }) => {
                let place = lock.place(sha256);
                let reason =
                    format!("its grants were revoked ({place}); `keyferry plugin grant {slug}` grants them again");
                return Err((PluginState::Revoked, reason));
            }
            Some(PluginGrant { ends_at: Some(end), sha256, .. }) if *end <= jiff::Timestamp::now() => {
                return pending(&format!("its grant ended at {end} ({})", lock.place(sha256)));
            }
            // The description follows from the bytes alone, so the lock file was edited by hand, or the component found a way to
            // describe itself otherwise than when it was granted.
            Some(PluginGrant { slug: Some(granted), sha256, .. }) if granted != slug => {
                let place = lock.place(sha256);
                return pending(&format!("it says that it is `{slug}`, and its grant is for `{granted}` ({place})"));
            }
            _ => {}
        }
        // A grant of WASI alone is what lets the plugin be asked for the rest.
        let granted = match (recorded.filter(|grant| grant.slug.is_some()), self.policy) {
            (Some(grant), _) => Granted {
                requests: grant.requests.clone(),
                renewal: grant.renewal_requests.clone(),
                secret_access: grant.secrets,
            },
            (None, GrantPolicy::OnDrop) => Granted {
                requests: description.requested.clone(),
                renewal: description.renewal_requests(),
                secret_access: SecretAccess::Handles,
            },
            (None, GrantPolicy::Recorded) => return pending("nothing is granted to this component"),
        };
        if description.secret_access == SecretAccess::PlainText && granted.secret_access == SecretAccess::Handles {
            return pending("it asks to read secrets as plain text, which must be granted by name");
        }
        let reads_text = recorded.map(|grant| grant.reads_text.as_slice()).unwrap_or_default();
        let ungranted = field_reads::ungranted(&description.field_reads(), reads_text).join(",");
        if !ungranted.is_empty() {
            return Err((PluginState::Pending, reads_text_reason(slug, &ungranted)));
        }
        Ok(granted)
    }
}
