use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::cases::{SecretNames, told};
use keyferry_egress::{
    Call, Egress, EgressLimits, EgressSettings, EgressSetupError, ExchangeObserver, GrantSet, Request, Response,
    SendError, StandIn,
};
use keyferry_sandbox::{CallError, LoadedPlugin, OpenError, RecordedCall, Verdict, VerifyOptions, Workbench};
use keyferry_schema::{Credential, Exposure, Input, Violations};

/// One verification with a real provider, or with a server that replaces it.
#[derive(Debug, Clone, Default)]
pub struct LiveOptions {
    /// A server on this machine that replaces every provider.
    pub provider: Option<StandIn>,
    /// A PEM file of certificate authorities to trust besides the usual ones.
    pub egress_ca: Option<PathBuf>,
}

/// A verification that was carried out.
pub struct Live {
    /// The plugin that verified.
    pub specimen: LoadedPlugin,
    /// The credential, as the schema has it.
    pub credential: Credential,
    /// The exchanged requests and responses, in order.
    pub exchanges: Vec<LiveExchange>,
    /// Verdict, usage and log of the call.
    pub tried: RecordedCall<Verdict>,
    /// Time of the plugin's clock, in milliseconds since 1970.
    pub now_ms: u64,
    pub(super) names: SecretNames,
}

impl Live {
    /// A text with every secret of the verification in it replaced, also where the plugin itself wrote it down, and where it
    /// became known later than the text.
    pub fn redact(&self, text: &str) -> String {
        let mut call = Call::new(Arc::new(GrantSet::default()), Instant::now(), &EgressLimits::default());
        self.names.iter().for_each(|(secret, _)| call.know(Arc::clone(secret)));
        call.redact(text)
    }
}

/// One request and its answer, without secrets.
pub struct LiveExchange {
    /// What the plugin asked for, in lines; secrets by their fields' names.
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
    /// The way out could not be set up.
    #[error(transparent)]
    Egress(#[from] EgressSetupError),
    /// The sandbox had no room.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Has a plugin verify a credential. It may do what its description asks for.
///
/// # Errors
/// If it could not be asked. What it said, or how it failed, is in [`Live::tried`].
pub async fn call(
    workbench: &Workbench,
    component: Vec<u8>,
    auth_object: &Input,
    options: LiveOptions,
) -> Result<Live, LiveError> {
    let specimen = workbench.open(component).await?;
    let credential = specimen.description.schema.validate(auth_object).map_err(LiveError::Credential)?;
    let settings =
        EgressSettings { ca_file: options.egress_ca, stand_in: options.provider, ..EgressSettings::default() };
    let egress = Egress::new(settings)?;
    let client = egress.app_client()?;
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
    let setting = VerifyOptions {
        client: &client,
        grants: Arc::new(GrantSet::new(specimen.description.requested.clone())),
        limits: egress.limits(),
        witness: Some(Arc::<Recorder>::clone(&recorder)),
        now_ms,
    };
    let tried = specimen.verify(&credential, setting).await?;
    let (names, exchanges) = {
        let mut recorded = recorder.0.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut recorded.0), std::mem::take(&mut recorded.1))
    };
    Ok(Live { specimen, credential, exchanges, tried, now_ms, names })
}

/// Writes down what goes over the wire.
struct Recorder(Mutex<(SecretNames, Vec<LiveExchange>)>);

impl ExchangeObserver for Recorder {
    fn exchange(&self, request: &Request, result: Result<&Response, &SendError>) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = told(request, &recorded.0);
        if let Ok(response) = result {
            for minted in &response.minted {
                recorded.0.add(&minted.token, minted.pointer.clone());
            }
        }
        let result = result.cloned().map_err(Clone::clone);
        recorded.1.push(LiveExchange { lines, result, request: request.clone() });
    }
}
