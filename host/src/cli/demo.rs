//! `keyferry demo`: a complete migration against mock providers on loopback.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use url::Host;

use super::config::{LogFormat, LogSettings, ServeArgs, Settings};
use super::demo_guide::{self, RunningDemo};
use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::log::start_log;
use super::serve::serve;
use super::server::Server;
use super::signals::Signals;
use super::term;
use keyferry_api::admin::{CreateApiKey, Operation as _, Operator};
use keyferry_devkit::{BuildOptions, Selection, build};
use keyferry_egress::Loopback;
use keyferry_mock_providers::apps::{demo, demo_providers};
use keyferry_sandbox::GrantPolicy;
use keyferry_service_client::{Deadlines, Scheme, ServiceAddress, exchange, tls_config};
use keyferry_store::{AccountKey, Scope};
use keyferry_types::ids::Environment;
use keyferry_types::path_text::ShowPath as _;

const MIGRATE: &str = "/api/v2/public/migrate-token";
const ACCOUNTS: &str = "/api/v2/public/linked-account";
const ACCOUNT: &str = "user_1";
const ORG: &str = "demo-org";
/// Time limits of a request to the demo's own server, which calls a plugin.
const DEADLINES: Deadlines = Deadlines { connect: Duration::from_secs(10), response: Duration::from_secs(60) };

#[derive(Args)]
pub(super) struct DemoArgs {
    /// Exit after the run, with 0 if every step was as expected.
    #[arg(long)]
    once: bool,
    /// Take ready-built components from here instead of building the plugins.
    #[arg(long, value_name = "DIR", env = "KEYFERRY_DEMO_PLUGINS")]
    plugins: Option<PathBuf>,
}

/// One request and its expected response.
struct Step {
    title: &'static str,
    slug: &'static str,
    auth_object: Value,
    status: StatusCode,
    /// The whole body, byte for byte.
    body: &'static str,
}

pub(super) async fn run(args: DemoArgs) -> CliResult {
    let filter = std::env::var("KEYFERRY_LOG").unwrap_or_else(|_| "error".to_owned()).parse()?;
    let _log = start_log(&LogSettings { format: LogFormat::Text, filter }, None)?;
    let folder = tempfile::Builder::new().prefix("keyferry-demo-").tempdir()?;
    let plugins = match args.plugins {
        Some(folder) => folder,
        None => {
            need_checkout(&std::env::current_dir()?)?;
            term::progress("building the plugins (the first time takes a minute)");
            let (here, out) = (std::env::current_dir()?, folder.path().join("plugins"));
            build(&BuildOptions { selection: Selection::All(here), out: out.clone() })?;
            out
        }
    };
    let providers = demo_providers().await?;
    let ca = folder.path().join("providers-ca.pem");
    providers.write_ca_pem(&ca)?;
    let settings = settings(folder.path(), plugins, ca, &providers.resolve_flags())?;
    let signals = Signals::listen()?;
    let server = Server::assemble(&settings).await?;
    let operator = Operator {
        warnings: None,
        store: Some(Arc::clone(&server.store)),
        vault: Some(Arc::clone(&server.vault)),
        registry: None,
        shared_plugins: server.shared_plugins.clone(),
        known_keys: Some(Arc::clone(&server.known_keys)),
    };
    let key = create_key(&operator, "demo", vec![Scope::Migrate, Scope::Read, Scope::Admin]).await?;
    let reading_key = create_key(&operator, "demo, reads credentials", vec![Scope::ReadCredentials]).await?;
    let store = Arc::clone(&server.store);
    let (listens, listening) = tokio::sync::oneshot::channel();
    let serving = serve(server, &settings, signals, move |address| {
        let _ = listens.send(address);
    });
    let steps = async {
        let address = listening.await?;
        let good = run_steps(address, &key).await?;
        show_disk(store.as_ref(), folder.path()).await?;
        Ok::<_, CliError>((address, good))
    };
    tokio::pin!(serving);
    let (address, good) = tokio::select! {
        done = steps => done?,
        ended = &mut serving => return ended,
    };
    if args.once {
        store.close().await?;
        term::print(if good { "\nEvery step was as expected." } else { "\nA step was NOT as expected: see above." });
        return Ok(if good { Exit::Done } else { Exit::Failed });
    }
    demo_guide::print(&RunningDemo {
        address,
        folder: folder.path(),
        org: ORG,
        account: ACCOUNT,
        key: &key,
        reading_key: &reading_key,
    })?;
    serving.await
}

/// Without ready-built components, the plugins are built from their sources.
fn need_checkout(here: &Path) -> Result<(), CliError> {
    if here.ancestors().any(|folder| folder.join("plugins/hubspot/Cargo.toml").is_file()) {
        return Ok(());
    }
    let (here, repository) = (here.shown(), env!("CARGO_PKG_REPOSITORY"));
    Err(format!(
        "the demo builds its plugins from Keyferry's sources, and {here} is not in a checkout of them. Run it in one \
         (git clone {repository}), or name a folder with the built plugins: keyferry demo --plugins DIR"
    )
    .into())
}

async fn create_key(operator: &Operator, label: &str, scopes: Vec<Scope>) -> Result<String, CliError> {
    let (org, environment) = (ORG.parse()?, Environment::Test);
    let create = CreateApiKey { org, environment, label: label.to_owned(), scopes, days: Some(1) };
    Ok(create.perform(operator).await?.key)
}

fn settings(folder: &Path, plugins: PathBuf, ca: PathBuf, resolve: &[String]) -> Result<Settings, CliError> {
    let mut args = ServeArgs::defaults()?;
    args.folders.data = Some(folder.join("data"));
    args.folders.plugins = Some(plugins);
    let mut settings = args.settings()?;
    settings.listen = ([127, 0, 0, 1], 0).into();
    settings.grants = GrantPolicy::OnDrop;
    settings.egress.ca_file = Some(ca);
    settings.egress.loopback = Loopback::AllowedForDevelopment;
    settings.egress.dev_resolve = resolve.iter().map(|flag| flag.parse()).collect::<Result<_, _>>()?;
    Ok(settings)
}

fn steps() -> Vec<Step> {
    let success = r#"{"success":true,"message":"Token migrated successfully"}"#;
    let netsuite = |account: &str| {
        json!({"keybased": {
            "account_id": account,
            "consumer_key": demo::NETSUITE_CONSUMER_KEY,
            "consumer_secret": demo::NETSUITE_CONSUMER_SECRET,
            "token_id": demo::NETSUITE_TOKEN_ID,
            "token_secret": demo::NETSUITE_TOKEN_SECRET,
        }})
    };
    vec![
        Step {
            title: "A HubSpot token pair",
            slug: "hubspot",
            auth_object: json!({"oauth2": {
                "access_token": demo::HUBSPOT_ACCESS_TOKEN, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN,
            }}),
            status: StatusCode::OK,
            body: success,
        },
        Step {
            title: "A NetSuite token-based-auth set: the host signs OAuth 1.0a, the provider checks the signature",
            slug: "netsuite",
            auth_object: netsuite(demo::NETSUITE_ACCOUNT_ID),
            status: StatusCode::OK,
            body: success,
        },
        Step {
            title: "A Slack token that was revoked: rejected, nothing stored",
            slug: "slack",
            auth_object: json!({"keybased": {"bot_token": demo::SLACK_REVOKED_TOKEN}}),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            body: "",
        },
        Step {
            title: "A NetSuite account that does not exist",
            slug: "netsuite",
            auth_object: netsuite("your-account"),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            body: "{\"status_code\":500,\"http_error_type\":\"INTERNAL_SERVER_ERROR\",\"error\":\"SERVER_ERROR\",\
                   \"message\":\"Failed to verify credentials: getaddrinfo ENOTFOUND \
                   your-account.suitetalk.api.netsuite.com\"}",
        },
    ]
}

/// Sends the requests of all steps and prints them. Whether each response was as expected.
async fn run_steps(address: SocketAddr, key: &str) -> Result<bool, CliError> {
    let (status, _) = send(address, "POST", ACCOUNTS, key, &json!({"account_id": ACCOUNT, "name": "Demo"})).await?;
    term::print(&format!("Linked account `{ACCOUNT}` created: {status}"));
    let mut good = status == StatusCode::OK;
    for (number, step) in steps().into_iter().enumerate() {
        let request = json!({"slug": step.slug, "auth_object": step.auth_object});
        term::print(&format!("\n{}. {}\n   PUT {MIGRATE}\n   {}", number + 1, step.title, masked(&request)));
        let (status, body) = send(address, "PUT", MIGRATE, key, &request).await?;
        term::print(&format!("   -> {status}\n   {body}"));
        if status != step.status || !(step.body.is_empty() || body == step.body) {
            term::error(&format!("expected {} {}", step.status, step.body));
            good = false;
        }
    }
    Ok(good)
}

/// A request with the values of credentials cut off.
fn masked(request: &Value) -> Value {
    match request {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), mask_member(name, value))).collect()
        }
        other => other.clone(),
    }
}

fn mask_member(name: &str, value: &Value) -> Value {
    match value {
        Value::String(_) if name == "slug" || name == "account_id" => value.clone(),
        Value::String(text) => format!("{}...", text.chars().take(4).collect::<String>()).into(),
        other => masked(other),
    }
}

async fn show_disk(store: &dyn keyferry_store::Store, folder: &Path) -> Result<(), CliError> {
    let account = AccountKey { org: ORG.parse()?, environment: Environment::Test, account: ACCOUNT.parse()? };
    let Some(view) = store.account(&account).await? else { return Err("the demo's account is not there".into()) };
    term::print("\nWhat lies on disk now (AES-256-GCM under a key that is not in the store):");
    for record in view.integrations {
        let hex = hex::encode(record.envelope.get(..24).unwrap_or_default());
        term::print(&format!(
            "   {:<9} {:<9} version {}  {} sealed bytes: {hex}...",
            record.slug.as_str(),
            record.auth_type.as_str(),
            record.version,
            record.envelope.len(),
        ));
    }
    let mut database = Vec::new();
    for file in ["db", "journal.0", "journal.1"] {
        database.append(&mut std::fs::read(folder.join("data/store").join(file))?);
    }
    let secrets = [demo::HUBSPOT_ACCESS_TOKEN, demo::NETSUITE_CONSUMER_SECRET, demo::NETSUITE_TOKEN_SECRET];
    for secret in secrets {
        if database.windows(secret.len()).any(|window| window == secret.as_bytes()) {
            return Err("a credential lies in plain in the database".into());
        }
    }
    term::print(&format!("   ({} bytes of database searched: no credential lies there in plain)", database.len()));
    Ok(())
}

/// Sends a request to the demo's server, for the demo's linked account.
async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    key: &str,
    body: &Value,
) -> Result<(StatusCode, String), CliError> {
    let host = match address.ip() {
        IpAddr::V4(ip) => Host::Ipv4(ip),
        IpAddr::V6(ip) => Host::Ipv6(ip),
    };
    let server = ServiceAddress { scheme: Scheme::Http, host, port: address.port() };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", server.authority())
        .header("x-api-key", key)
        .header("linked_account_id", ACCOUNT)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?;
    let (head, body) = exchange(&server, &tls_config(None)?, request, DEADLINES).await?;
    Ok((head.status, String::from_utf8_lossy(&body).into_owned()))
}
