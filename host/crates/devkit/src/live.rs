use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::cases::{SecretNames, request_lines};
use keyferry_egress::{
    AppClient, Call, Egress, EgressLimits, EgressSettings, EgressSetupError, ExchangeObserver, GrantSet, MockProvider,
    Request, Response, SendError,
};
use keyferry_sandbox::{CallError, CallOptions, LoadedPlugin, OpenError, RecordedCall, Verdict, Workbench};
use keyferry_schema::{Credential, Exposure, Input, Violations};

/// One verification with a real provider, or with a server that replaces it.
#[derive(Debug, Clone, Default)]
pub struct LiveOptions {
    /// A server on this machine that replaces every provider.
    pub provider: Option<MockProvider>,
    /// A PEM file of certificate authorities to trust besides the usual ones.
    pub egress_ca: Option<PathBuf>,
}

/// A verification that was carried out.
pub struct Live {
    /// The plugin that verified.
    pub plugin: LoadedPlugin,
    /// The credential, as the schema has it.
    pub credential: Credential,
    /// The exchanged requests and responses, in order.
    pub exchanges: Vec<LiveExchange>,
    /// Verdict, usage and log of the call.
    pub recorded: RecordedCall<Verdict>,
    /// Time of the plugin's clock, in milliseconds since 1970.
    pub now_ms: u64,
    pub(super) names: SecretNames,
}

impl Live {
    /// Replaces every secret of the verification in a text, also those that became known after the text.
    pub fn redact(&self, text: &str) -> String {
        let mut call = Call::new(Arc::new(GrantSet::default()), Instant::now(), &EgressLimits::default());
        self.names.iter().for_each(|(secret, _)| call.add_secret(Arc::clone(secret)));
        call.redact(text)
    }
}

/// One request and its result, without secrets.
pub struct LiveExchange {
    /// The request in lines, with field names instead of secrets.
    pub lines: Vec<String>,
    /// The result that the plugin got.
    pub result: Result<Response, SendError>,
    pub(super) request: Request,
}

/// Why a verification was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The file is no plugin.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The credential does not fit the plugin's schema.
    #[error("the auth object does not fit the plugin's schema: {0}")]
    Credential(Violations),
    /// Egress could not be set up.
    #[error(transparent)]
    Egress(#[from] EgressSetupError),
    /// The sandbox had no free slot.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Runs a plugin's `verify` with a credential. The plugin is granted what its description asks for.
///
/// # Errors
/// If the plugin could not be called. Its verdict, or its failure, is in [`Live::recorded`].
pub async fn call(
    workbench: &Workbench,
    component: Vec<u8>,
    auth_object: &Input,
    options: LiveOptions,
) -> Result<Live, LiveError> {
    let plugin = workbench.open(component).await?;
    let credential = plugin.description.schema.validate(auth_object).map_err(LiveError::Credential)?;
    let settings =
        EgressSettings { ca_file: options.egress_ca, mock_provider: options.provider, ..EgressSettings::default() };
    let egress = Egress::new(settings)?;
    let client = AppClient::new(&egress)?;
    let mut names = SecretNames::default();
    for field in &credential.fields {
        if matches!(field.exposure, Exposure::Handle { .. }) {
            names.add(&field.value, field.name.as_str());
        }
    }
    let recorder = Arc::new(Recorder(Mutex::new((names, Vec::new()))));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Whole seconds: the time is written into a case, for people to read.
    let now_ms = now.as_secs() * 1000;
    let options = CallOptions {
        client: &client,
        grants: Arc::new(GrantSet::new(plugin.description.requested.clone())),
        limits: egress.limits(),
        observer: Some(Arc::<Recorder>::clone(&recorder)),
        now_ms,
    };
    let recorded = plugin.verify(&credential, options).await?;
    let (names, exchanges) = {
        let mut recorded = recorder.0.lock();
        (std::mem::take(&mut recorded.0), std::mem::take(&mut recorded.1))
    };
    Ok(Live { plugin, credential, exchanges, recorded, now_ms, names })
}

/// Collects the exchanges of a verification, and the names of its secrets.
struct Recorder(Mutex<(SecretNames, Vec<LiveExchange>)>);

impl ExchangeObserver for Recorder {
    fn exchange(&self, request: &Request, result: Result<&Response, &SendError>) {
        let mut recorded = self.0.lock();
        let lines = request_lines(request, &recorded.0);
        if let Ok(response) = result {
            for minted in &response.minted {
                recorded.0.add(&minted.token, minted.pointer.clone());
            }
        }
        let result = result.cloned().map_err(Clone::clone);
        recorded.1.push(LiveExchange { lines, result, request: request.clone() });
    }
}
