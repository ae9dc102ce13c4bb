//! Hostile components, dropped one after another into a running server.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyferry_api::admin::ListPlugins;
use keyferry_mock_providers::apps::demo;
use keyferry_mock_providers::{MockProviders, Reply};
use keyferry_sandbox::{PluginState, PluginStatus};
use serde_json::{Map, Value, json};

use super::{Expect, Hostile, NOT_FAR};
use crate::or_fail::OrFail as _;
use crate::{ServerOptions, World, WorldOptions};

/// The secret in every call of a hostile plugin.
pub const HOSTILE_KEY: &str = "canary-8d2f6a17-of-the-hostile-corpus";

/// Limits of one call, in wall-clock time and in the plugin's own code: less than the defaults, which shortens a run.
const WALL: Duration = Duration::from_secs(2);
const CPU: Duration = Duration::from_millis(300);
/// Time that a response may take beyond the limit of its call, on a busy machine.
const GRACE: Duration = Duration::from_secs(5);
/// Longest time of an admission: the server has to compile whatever the limits allow within it.
const ADMISSION: Duration = Duration::from_secs(30);

/// Puts limits of the sandbox into the server's configuration.
pub fn limits(options: &mut ServerOptions, sandbox: &str) {
    let file = options.data.with_file_name("keyferry.toml");
    fs::write(&file, format!("[sandbox]\n{sandbox}\n")).or_fail("write the configuration");
    options.arguments.extend(["--config".to_owned(), file.display().to_string()]);
}

/// A server with the shipped plugins, and providers: one that responds at once, one that is nearby, one that does not
/// respond, and one that responds with a thousand tokens.
pub async fn hostile_world() -> World {
    let mut providers = MockProviders::start().await.or_fail("start the providers");
    let hubspot = keyferry_mock_providers::apps::hubspot(demo::hubspot_state());
    providers.add(demo::HUBSPOT_HOST, hubspot).await.or_fail("start HubSpot");
    let stripe = keyferry_mock_providers::apps::stripe(demo::stripe_state());
    let not_far = move |request| stripe(request).delayed(NOT_FAR);
    providers.add(demo::STRIPE_HOST, not_far).await.or_fail("start Stripe");
    providers.add("api.example.com", |_| Reply::text(200, "hello")).await.or_fail("start an API");
    let never = |_| Reply::text(200, "at last").delayed(Duration::from_secs(60));
    providers.add("slow.example.com", never).await.or_fail("start a slow API");
    let tokens: Map<String, Value> =
        (0..1_000).map(|n| (format!("t{n}"), json!({ "access_token": format!("minted-token-{n:08}") }))).collect();
    let tokens = Value::Object(tokens);
    providers.add("mint.example.com", move |_| Reply::json(200, &tokens)).await.or_fail("start a mint");
    let change = Box::new(|options: &mut ServerOptions| {
        limits(options, &format!("wall-seconds = {}\ncpu-millis = {}", WALL.as_secs(), CPU.as_millis()));
    });
    World::start_with(WorldOptions { providers: Some(providers), server: Some(change) }).await
}

/// Drops components into a server and checks the server's behaviour.
pub struct Trials {
    world: Arc<World>,
}

impl Trials {
    /// Uses this server.
    pub fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    /// Drops a component in, calls it if it serves, and takes it out again.
    ///
    /// # Errors
    /// Describes the behaviour, where it is not as expected.
    pub async fn run(&self, hostile: &Hostile, component: &[u8]) -> Result<(), String> {
        let began = Instant::now();
        self.drop_in(hostile.name, component);
        let looked = tokio::time::timeout(ADMISSION, self.status(hostile.name)).await;
        let became = match looked {
            Err(_) => Err(format!("it was not admitted or refused within {ADMISSION:?}")),
            Ok(None) => Err("the server does not list it".to_owned()),
            Ok(Some(status)) => self.judge(hostile, &status).await,
        };
        self.take_out(hostile.name);
        if tokio::time::timeout(ADMISSION, self.status(hostile.name)).await != Ok(None) {
            return Err(format!("it is still there after it was taken out ({became:?})"));
        }
        became.map_err(|error| format!("{error} ({:.1?})", began.elapsed()))
    }

    /// Moves a complete component into the plugin folder.
    pub fn drop_in(&self, name: &str, component: &[u8]) {
        let hidden = self.world.plugins().join(format!(".{name}.part"));
        fs::write(&hidden, component).or_fail("write a component");
        fs::rename(&hidden, self.file(name)).or_fail("drop a component in");
    }

    /// Takes a component out of the plugin folder.
    pub fn take_out(&self, name: &str) {
        fs::remove_file(self.file(name)).or_fail("take a component out");
    }

    /// The state of the file, after the server has looked at it.
    pub async fn status(&self, name: &str) -> Option<PluginStatus> {
        let socket = self.world.data().join("admin.sock");
        let listed = keyferry_api::admin::call(&socket, &ListPlugins {}).await.or_fail("ask for the plugins");
        listed.into_iter().find(|status| status.file.file_stem().is_some_and(|stem| stem == name))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.plugins().join(format!("{name}.wasm"))
    }

    async fn judge(&self, hostile: &Hostile, status: &PluginStatus) -> Result<(), String> {
        let reason = status.reason.clone().unwrap_or_default();
        let is = |state: &str, part: &str| {
            if status.state.as_str() == state && reason.contains(part) && one_line(&reason) {
                Ok(())
            } else {
                Err(format!("it is {}: {reason:?}", status.state.as_str()))
            }
        };
        match hostile.expect {
            Expect::Refused(part) => is("refused", part)?,
            Expect::Waits(state, part) => is(state, part)?,
            Expect::Fails { .. } | Expect::Answers { .. } => is(PluginState::Active.as_str(), "")?,
        }
        let began = Instant::now();
        let body = json!({"slug": hostile.name, "auth_object": {"keybased": {"api_key": HOSTILE_KEY}}});
        let request = self.world.migrate_request(&body).header("accept", "application/problem+json");
        let answer = self.world.send(request).await;
        let took = began.elapsed();
        let text = answer.text();
        if took > WALL + GRACE {
            return Err(format!("its call took {took:.1?}"));
        }
        if text.contains(HOSTILE_KEY) {
            return Err("the answer shows the secret".to_owned());
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let (code, detail) = (problem["code"].as_str(), problem["detail"].as_str().unwrap_or_default());
        let as_expected = match hostile.expect {
            Expect::Refused(_) | Expect::Waits(..) => matches!(code, Some("unknown_app" | "app_not_in_service")),
            Expect::Fails { code: expected, detail: part } => code == Some(expected) && detail.contains(part),
            Expect::Answers { status, contains } => answer.status == status && text.contains(contains),
        };
        if as_expected { Ok(()) } else { Err(format!("its call got {}: {text}", answer.status)) }
    }
}

/// Whether a reason is safe to print in a log and on a terminal.
fn one_line(reason: &str) -> bool {
    !reason.chars().any(char::is_control) && reason.len() < 2_000
}
