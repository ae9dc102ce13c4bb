//! The server of a rung: hyper, and the steps of the job up to the rung's own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyferry_sandbox::{App, Registry, Verdict, Verified};
use keyferry_schema::{Credential, Input};
use keyferry_service::seal_context;
use keyferry_store::sled::SledStore;
use keyferry_store::{
    ApiKeyRecord, AuditAction, AuditEvent, Expect, IntegrationKey, IntegrationRecord, IntegrationStore as _,
    MigrationStore as _, MigrationWrite, ObjectId, Reauth, Timestamp, VerificationStatus,
};
use keyferry_vault::{ApiKey, Envelope};
use tokio::net::TcpListener;

use super::components::{self, Keys};
use super::process::RungSettings;
use super::step::Step;
use crate::server_process::settings_of_this_process;

/// The response to a successful migration.
const ANSWER: &[u8] = br#"{"success":true,"message":"Token migrated successfully"}"#;

/// The failure of a request, without details: the generator only counts it as bad.
type Failed = Box<dyn Error + Send + Sync>;

/// The state of a rung's server.
struct Rung {
    step: Step,
    keys: Keys,
    known: HashMap<[u8; 32], ApiKeyRecord>,
    registry: Option<Arc<Registry>>,
    store: Option<Arc<SledStore>>,
}

/// The process of a rung: reads its settings from stdin, prints its address, and serves until stdin is closed.
pub(crate) fn run(step: Step) -> Result<(), Box<dyn Error>> {
    if step != Step::Hello {
        crate::allocator::wipe();
    }
    let settings: RungSettings = settings_of_this_process()?;
    // As in the server.
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(step, &settings))
}

async fn serve(step: Step, settings: &RungSettings) -> Result<(), Box<dyn Error>> {
    let api_key: ApiKey = settings.api_key.parse()?;
    let keys = Keys::make(&api_key).await?;
    let registry = if step >= Step::Schema { Some(components::registry(settings).await?) } else { None };
    let store = match step {
        Step::Store => Some(keys.store(settings.data.join("store"), settings.accounts).await?),
        _ => None,
    };
    let known = HashMap::from([(api_key.hash(), keys.record.clone())]);
    let rung = Arc::new(Rung { step, keys, known, registry, store });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let rung = Arc::clone(&rung);
        let service = service_fn(move |request| {
            let rung = Arc::clone(&rung);
            async move { Ok::<_, Infallible>(rung.respond(request).await) }
        });
        tokio::spawn(async move {
            // A client that disconnects is an ordinary end.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Rung {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let done = if self.step == Step::Hello { Ok(()) } else { self.carry_out(request).await };
        match done {
            Ok(()) => {
                let mut response = Response::new(Full::from(ANSWER));
                let json = http::HeaderValue::from_static("application/json");
                response.headers_mut().insert(http::header::CONTENT_TYPE, json);
                response
            }
            Err(failed) => {
                let mut response = Response::new(Full::from(failed.to_string()));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }

    async fn carry_out(&self, request: Request<Incoming>) -> Result<(), Failed> {
        let (parts, body) = request.into_parts();
        let record = self.authenticate(&parts.headers)?;
        let body = body.collect().await?.to_bytes();
        let input: Input = serde_json::from_slice(&body)?;
        let (Some(Input::Text(slug)), Some(auth_object)) = (input.member("slug"), input.member("auth_object")) else {
            return Err("no slug or no auth_object".into());
        };
        if self.step == Step::Auth {
            return Ok(());
        }
        let app = self.app(slug.expose())?;
        let credential = app.description.schema.validate(auth_object).map_err(|_| "the credential does not fit")?;
        if self.step == Step::Schema {
            return Ok(());
        }
        let verified = match app.verify(&credential).await? {
            Verdict::Verified(verified) => verified,
            Verdict::Failed(failure) => return Err(failure.detail.into()),
        };
        if self.step <= Step::Egress {
            return Ok(());
        }
        let account = parts.headers.get("linked_account_id").ok_or("no linked account")?.to_str()?;
        let key = IntegrationKey { account: self.keys.account(account.parse()?), slug: app.description.slug.clone() };
        let current = match &self.store {
            Some(store) => store.integration(&key).await?,
            None => None,
        };
        let version = current.as_ref().map_or(1, |current| current.version + 1);
        let envelope = self.sealed(&key, &credential, version)?;
        match &self.store {
            Some(store) => commit(store, record, key, credential, verified, envelope, current).await,
            None => Ok(()),
        }
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<&ApiKeyRecord, Failed> {
        let key: ApiKey = headers.get("x-api-key").ok_or("no API key")?.to_str()?.parse()?;
        let record = self.known.get(&key.hash()).filter(|record| key.hash_matches(&record.hash));
        Ok(record.filter(|record| record.is_live(Timestamp::now())).ok_or("the API key is not known")?)
    }

    fn app(&self, slug: &str) -> Result<Arc<App>, Failed> {
        let app = self.registry.as_ref().map(|registry| Ok::<_, Failed>(registry.app(&slug.parse()?))).transpose()?;
        Ok(app.flatten().ok_or_else(|| format!("no plugin serves {slug}"))?)
    }

    fn sealed(&self, key: &IntegrationKey, credential: &Credential, version: u64) -> Result<Envelope, Failed> {
        let context = seal_context(key, &credential.auth_type, version);
        let fields: Vec<_> = credential.fields.iter().map(|field| (field.name.clone(), field.value.as_ref())).collect();
        Ok(self.keys.vault.seal(&context, &fields)?)
    }
}

async fn commit(
    store: &SledStore,
    key_record: &ApiKeyRecord,
    key: IntegrationKey,
    credential: Credential,
    verified: Verified,
    envelope: Envelope,
    current: Option<IntegrationRecord>,
) -> Result<(), Failed> {
    let now = Timestamp::now();
    let record = IntegrationRecord {
        id: current.as_ref().map_or_else(ObjectId::generate, |current| current.id),
        org: key.account.org,
        environment: key.account.environment,
        account: key.account.account,
        slug: key.slug,
        auth_type: credential.auth_type,
        version: current.as_ref().map_or(1, |current| current.version + 1),
        key_id: envelope.key_id().get(),
        envelope: envelope.into_bytes(),
        standing: VerificationStatus::Verified,
        provider_account_id: verified.provider_account_id,
        display_name: verified.display_name,
        scopes: verified.scopes,
        expires_at: verified.expires_at.map(Timestamp::from_millis),
        warnings: verified.warnings,
        config: verified.config.into_iter().collect(),
        reauth: Reauth::NotRequired,
        created_at: current.as_ref().map_or(now, |current| current.created_at),
        updated_at: now,
        verified_at: Some(now),
        check: None,
        renewals: std::collections::BTreeMap::new(),
    };
    let audit = AuditEvent::new(AuditAction::CredentialMigrated, &key_record.shown, "updated verified")
        .on_integration(&record.key())
        .for_request("req_0123456789abcdef");
    let expect = current.map_or(Expect::Absent, |current| Expect::Version(current.version));
    Ok(store.commit_migration(MigrationWrite { record, expect, audit, idempotency: None, row: None }).await?)
}
