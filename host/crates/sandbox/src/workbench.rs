//! [`Workbench`]: runs plugins for tests, in the sandbox of a server, with fuel counted, a fixed clock and the log recorded.
//!
//! A file is admitted by the same steps as a server's ([`Workbench::open`]). No lock file is read: the caller decides
//! what the plugin may do.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::Instant;

use super::call_recorder::{RecordedCall, Usage};
use super::code_seal::CodeSeal;
use super::component_interface::{self, ImportError, Wasi};
use super::description::{AppDescription, Digest, SecretAccess};
use super::deterministic_env::DeterministicEnv;
use super::engine::Metering;
use super::error::{CallError, SandboxError};
use super::grants::WasiGrant;
use super::limits::SandboxLimits;
use super::renewal::{AskedRenewal, RenewalClient, RenewalResult};
use super::sandbox::{Compiled, Sandbox, Verification};
use super::verdict::Verdict;
use keyferry_egress::{AppClient, Call, EgressLimits, ExchangeObserver, GrantSet};
use keyferry_schema::Credential;

/// Units of fuel that one call may use: with the default limit of processor time, more than it could use on any machine
/// that is common now.
const FUEL: u64 = 20_000_000_000;

/// A sandbox in which plugins are tested.
pub struct Workbench {
    sandbox: Arc<Sandbox>,
}

/// Why a file cannot be tested.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is larger than a server accepts.
    #[error(
        "it has {bytes} bytes, and {allowed} are allowed; build it smaller, or give its sha256 more `file-bytes` in the lock"
    )]
    TooLarge {
        /// Size of the file in bytes.
        bytes: usize,
        /// Maximum size in bytes.
        allowed: usize,
    },
    /// The file is not a component, or has forbidden imports.
    #[error(transparent)]
    Imports(#[from] ImportError),
    /// It does not compile, or does not fit the contract.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// It does not describe itself.
    #[error("it does not describe itself: {error}")]
    Describe {
        /// Error of the call of `describe`.
        error: CallError,
        /// Number of requests that it asked for; `describe` must not ask for any.
        requests: u32,
        /// Log lines of the call, such as the text of a panic.
        log: Vec<String>,
    },
}

/// A plugin on the workbench.
pub struct LoadedPlugin {
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Size of the file in bytes.
    pub bytes: usize,
    /// The plugin's description of its app.
    pub description: AppDescription,
    /// Whether it imports WASI, which runs here as under the grant `wasi = "sealed"`.
    pub wasi: Wasi,
    /// Resources that the call of `describe` used.
    pub described: Usage,
    name: Arc<str>,
    compiled: Compiled,
    sandbox: Arc<Sandbox>,
}

/// Conditions of a test call.
pub struct CallOptions<'a> {
    /// Responds to the plugin's requests.
    pub client: &'a AppClient,
    /// The requests that the plugin may make.
    pub grants: Arc<GrantSet>,
    /// The limits of its requests.
    pub limits: &'a EgressLimits,
    /// Observes the requests of the call.
    pub observer: Option<Arc<dyn ExchangeObserver>>,
    /// Time of the clock, in milliseconds since 1970.
    pub now_ms: u64,
}

impl Workbench {
    /// Sets one up. With a cache, compiled code is kept in that folder, sealed by that function.
    ///
    /// # Errors
    /// If this machine cannot run the sandbox.
    pub fn new(limits: SandboxLimits, cache: Option<(PathBuf, CodeSeal)>) -> Result<Self, SandboxError> {
        let sandbox = Sandbox::with_metering(limits, cache, Metering::TimeAndFuel { fuel: FUEL })?;
        Ok(Self { sandbox: Arc::new(sandbox) })
    }

    /// The limits of each call.
    pub fn limits(&self) -> &SandboxLimits {
        self.sandbox.limits()
    }

    /// Puts a file on the workbench: size, imports, compilation, description.
    ///
    /// # Errors
    /// The first step that it does not pass.
    pub async fn open(&self, bytes: Vec<u8>) -> Result<LoadedPlugin, OpenError> {
        let allowed = self.limits().file_bytes;
        if bytes.len() > allowed {
            return Err(OpenError::TooLarge { bytes: bytes.len(), allowed });
        }
        let wasi = component_interface::check(&bytes)?;
        let grant = match wasi {
            Wasi::Absent => WasiGrant::None,
            Wasi::Needed => WasiGrant::Sealed,
        };
        let (digest, length) = (Digest::of(&bytes), bytes.len());
        let sandbox = Arc::clone(&self.sandbox);
        let compiled = self
            .sandbox
            .compiler()
            .run(move || sandbox.compile(&digest, &bytes, grant, None))
            .await
            .map_err(|error| SandboxError::Engine(error.to_string()))??;
        let name: Arc<str> = Arc::from("plugin");
        let failed = |error| OpenError::Describe { error, requests: 0, log: Vec::new() };
        let tried = self
            .sandbox
            .try_describe(&compiled, Arc::clone(&name), DeterministicEnv::default())
            .await
            .map_err(failed)?;
        let described = tried.usage;
        let description = tried.result.map_err(|error| OpenError::Describe {
            error,
            requests: described.requests,
            log: tried.log.into_iter().map(|line| line.text).collect(),
        })?;
        let sandbox = Arc::clone(&self.sandbox);
        Ok(LoadedPlugin { digest, bytes: length, description, wasi, described, name, compiled, sandbox })
    }
}

impl LoadedPlugin {
    /// Calls `describe` once more, with another time and other random bytes.
    ///
    /// # Errors
    /// If the sandbox has no room.
    pub async fn describe(&self, now_ms: u64, seed: u64) -> Result<RecordedCall<AppDescription>, CallError> {
        self.sandbox.try_describe(&self.compiled, Arc::clone(&self.name), DeterministicEnv::new(now_ms, seed)).await
    }

    /// Calls `verify` with a credential.
    ///
    /// # Errors
    /// If the sandbox has no room. What becomes of the call itself is in the result.
    pub async fn verify(
        &self,
        credential: &Credential,
        options: CallOptions<'_>,
    ) -> Result<RecordedCall<Verdict>, CallError> {
        let env = DeterministicEnv::new(options.now_ms, 0);
        // A plugin that asks to read secrets is tried out as if that were granted: it could not run otherwise.
        let access: SecretAccess = self.description.secret_access;
        let verification = self.verification(credential, None, options, access);
        self.sandbox.try_verify(&self.compiled, Arc::clone(&self.name), verification, env).await
    }

    /// Calls `renew` with a credential, for the pair that is named by the field of its access token.
    ///
    /// # Errors
    /// If the sandbox has no room. What becomes of the call itself is in the result.
    pub async fn renew(
        &self,
        credential: &Credential,
        pair: &str,
        client: Option<&RenewalClient>,
        options: CallOptions<'_>,
    ) -> Result<RecordedCall<RenewalResult>, CallError> {
        let env = DeterministicEnv::new(options.now_ms, 0);
        // As on a server, no renewal reads secrets.
        let verification = self.verification(credential, client, options, SecretAccess::Handles);
        let asked = AskedRenewal { pair, client };
        self.sandbox.try_renew(&self.compiled, Arc::clone(&self.name), verification, asked, env).await
    }

    /// The input of a call that knows the secrets of the credential and of the client.
    fn verification<'a>(
        &self,
        credential: &'a Credential,
        client: Option<&RenewalClient>,
        options: CallOptions<'_>,
        access: SecretAccess,
    ) -> Verification<'a> {
        let deadline = Instant::now() + self.sandbox.limits().wall;
        let grants = options.grants.bound(|field| credential.plain(field).map(str::to_owned));
        let mut call = Call::new(grants, deadline, options.limits);
        let of_client = client.into_iter().flat_map(|client| [Some(&client.id), client.secret.as_ref()]).flatten();
        for secret in credential.secrets().chain(of_client) {
            call.add_secret(Arc::clone(secret));
        }
        if let Some(observer) = options.observer {
            call = call.with_observer(observer);
        }
        let client = Arc::new(options.client.clone());
        Verification { client, call: Box::new(call), credential, access }
    }
}
