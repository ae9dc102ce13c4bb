//! A server with everything around it.

use std::path::{Path, PathBuf};

use keyferry_mock_providers::MockProviders;
use keyferry_mock_providers::apps::demo_providers;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::copy_plugins;
use crate::contract::Contract;
use crate::http::{Request, Response};
use crate::or_fail::{OrFail as _, fail};
use crate::server::{Server, ServerOptions, run_in};

/// The organisation of a [`World`].
pub const ORG: &str = "acme";
/// The linked account of a [`World`].
pub const ACCOUNT: &str = "user_1";

/// The endpoint that it is all about.
const MIGRATE_TOKEN: &str = "/api/v2/public/migrate-token";

/// A running server, the stand-ins of the providers, one API key (environment `test`) and one linked account.
///
/// Data and plugins lie in folders of its own, which go when it is dropped.
pub struct World {
    /// The process. First, so that it is gone before what it works on.
    pub server: Server,
    /// What stands in for the providers.
    pub providers: MockProviders,
    /// The API key of [`ORG`] in environment `test`.
    pub api_key: String,
    keys: Vec<(String, String)>,
    folder: TempDir,
}

/// What a [`World`] is made of, where that is not the usual.
#[derive(Default)]
pub struct WorldOptions {
    /// Instead of the demo's four apps.
    pub providers: Option<MockProviders>,
    /// Changes what the server is started with.
    pub server: Option<ServerChange>,
}

/// A last change to what a server is started with.
pub type ServerChange = Box<dyn FnOnce(&mut ServerOptions) + Send>;

impl World {
    /// The usual world: the shipped plugins, and the demo's four apps with the credentials in
    /// [`keyferry_mock_providers::apps::demo`].
    pub async fn start() -> Self {
        Self::start_with(WorldOptions::default()).await
    }

    /// Another one.
    pub async fn start_with(options: WorldOptions) -> Self {
        Self::start_keyed(Vec::new(), options).await
    }

    /// Another one, with environment variables of the server, and of the command that makes the API key before: where the
    /// keys are.
    pub async fn start_keyed(keys: Vec<(String, String)>, options: WorldOptions) -> Self {
        let providers = match options.providers {
            Some(providers) => providers,
            None => demo_providers().await.or_fail("start the demo's providers"),
        };
        let folder = TempDir::new().or_fail("make a folder for the world");
        let (data, plugins) = (folder.path().join("data"), folder.path().join("plugins"));
        let ca = folder.path().join("ca.pem");
        providers.write_ca_pem(&ca).or_fail("write the throw-away authority");
        copy_plugins(&plugins);
        // Before the server, which keeps the data folder to itself.
        let api_key = create_api_key_in(&keys, &data, ORG, "test").await;
        let mut server = ServerOptions::new(data, plugins);
        server.environment = keys.clone();
        server.egress_ca = Some(ca);
        server.resolve = providers.resolve_flags();
        if let Some(change) = options.server {
            change(&mut server);
        }
        let world = Self { server: Server::start(server).await, providers, api_key, keys, folder };
        world.create_account(ACCOUNT).await;
        world
    }

    /// The folder that holds `data`, `plugins` and `ca.pem`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The server's plugin folder, watched by it: a file put here is dropped in.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Runs a subcommand on [`data`](Self::data): how it ended, what it printed, and what it said beside that.
    pub async fn command(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.command_keyed(&self.keys, arguments).await
    }

    /// The same with other environment variables that say where the keys are.
    pub async fn command_keyed(&self, keys: &[(String, String)], arguments: &[&str]) -> (Option<i32>, String, String) {
        let data = self.data().display().to_string();
        let output = run_in(keys, arguments.iter().copied().chain(["--data", &data])).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).or_fail("read what a command printed");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Makes one more linked account.
    pub async fn create_account(&self, account: &str) {
        let answer = self
            .send(Request::new("POST", "/api/v2/public/linked-account").json(&json!({ "account_id": account })))
            .await;
        if answer.status != 200 {
            fail(format_args!("linked account {account} was not created: {} {}", answer.status, answer.text()));
        }
    }

    /// Sends a request with the API key. Whatever comes back has to be as the API describes itself.
    pub async fn send(&self, request: Request) -> Response {
        self.send_as_it_is(request.header("x-api-key", &self.api_key)).await
    }

    /// Sends a request without an API key, or with its own. Whatever comes back has to be as the API describes itself.
    pub async fn send_as_it_is(&self, request: Request) -> Response {
        let (method, target) = (request.method.clone(), request.target.clone());
        let answer = request.send(self.server.address()).await;
        let violations = Contract::fixed().violations(&method, &target, &answer);
        if !violations.is_empty() {
            fail(format_args!(
                "{method} {target} was answered otherwise than the API's description says: {}\n{} {:?}\n{}",
                violations.join("; "),
                answer.status,
                answer.headers,
                answer.text()
            ));
        }
        answer
    }

    /// A session token of a linked account.
    pub async fn session(&self, account: &str) -> String {
        let request = Request::new("POST", "/api/v2/public/session-token");
        let answer = self.send(request.json(&json!({ "linked_account_id": account }))).await;
        match answer.json().get("token").and_then(Value::as_str) {
            Some(token) => token.to_owned(),
            None => fail(format_args!("no session token came: {} {}", answer.status, answer.text())),
        }
    }

    /// `PUT migrate-token` for [`ACCOUNT`].
    pub async fn migrate(&self, slug: &str, auth_object: Value) -> Response {
        self.send(self.migrate_request(&json!({ "slug": slug, "auth_object": auth_object }))).await
    }

    /// The request behind [`migrate`](Self::migrate) with any body, to be given more headers and then
    /// [sent](Self::send).
    pub fn migrate_request(&self, body: &Value) -> Request {
        Request::new("PUT", MIGRATE_TOKEN).header("linked_account_id", ACCOUNT).json(body)
    }
}

/// Makes an API key in a data folder that no server has open.
pub async fn create_api_key(data: &Path, org: &str, environment: &str) -> String {
    create_api_key_in(&[], data, org, environment).await
}

/// The same with environment variables that say where the keys are; a server may run.
pub async fn create_api_key_in(keys: &[(String, String)], data: &Path, org: &str, environment: &str) -> String {
    let data = data.display().to_string();
    let output = run_in(keys, ["api-key", "create", "--org", org, "--environment", environment, "--data", &data]).await;
    let key = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || key.is_empty() || key.contains(char::is_whitespace) {
        fail(format_args!(
            "no API key came out ({}): stdout {} bytes, stderr:\n{}",
            output.status,
            output.stdout.len(),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    key
}
