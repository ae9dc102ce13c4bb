//! A server with its environment.

use std::path::{Path, PathBuf};

use keyferry_mock_providers::MockProviders;
use keyferry_mock_providers::apps::demo_providers;
use keyferry_test_postgres::{Cluster, Database};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::copy_plugins;
use crate::compiled;
use crate::contract::Contract;
use crate::http::{Request, Response};
use crate::or_fail::{OrFail as _, fail};
use crate::server::{Server, ServerOptions};
use crate::subcommand::run_in;

/// The organisation of a [`World`].
pub const ORG: &str = "acme";
/// The linked account of a [`World`].
pub const ACCOUNT: &str = "user_1";

/// The main endpoint.
const MIGRATE_TOKEN: &str = "/api/v2/public/migrate-token";

/// A running server, the mock providers, one API key (environment `test`) and one linked account.
///
/// Data and plugins are in folders of its own, which are removed when it is dropped.
pub struct World {
    /// The process. It is the first field, so that it ends before its folders are removed.
    pub server: Server,
    /// The mock providers.
    pub providers: MockProviders,
    /// The API key of [`ORG`] in environment `test`.
    pub api_key: String,
    keys: Vec<(String, String)>,
    /// Where its store is, unless that is the data folder.
    database: Option<Database<'static>>,
    folder: TempDir,
}

/// Differences of a [`World`] from the default.
#[derive(Default)]
pub struct WorldOptions {
    /// Instead of the demo's four apps.
    pub providers: Option<MockProviders>,
    /// Changes the server's options.
    pub server: Option<ServerChange>,
}

/// A change to the server's options.
pub type ServerChange = Box<dyn FnOnce(&mut ServerOptions) + Send>;

impl World {
    /// The default world: the shipped plugins, and the demo's four apps with the credentials in
    /// [`keyferry_mock_providers::apps::demo`].
    pub async fn start() -> Self {
        Self::start_with(WorldOptions::default()).await
    }

    /// A world with these differences.
    pub async fn start_with(options: WorldOptions) -> Self {
        Self::start_keyed(Vec::new(), options).await
    }

    /// A world with these environment variables of the server, and of the command that creates the API key before: they
    /// name the key provider.
    pub async fn start_keyed(keys: Vec<(String, String)>, options: WorldOptions) -> Self {
        Self::start_in(keys, database_if_asked_for(), options).await
    }

    /// A world whose store is in this database.
    pub async fn start_on(database: Database<'static>, options: WorldOptions) -> Self {
        Self::start_in(Vec::new(), Some(database), options).await
    }

    async fn start_in(keys: Vec<(String, String)>, database: Option<Database<'static>>, options: WorldOptions) -> Self {
        let providers = match options.providers {
            Some(providers) => providers,
            None => demo_providers().await.or_fail("start the demo's providers"),
        };
        let folder = TempDir::new().or_fail("make a folder for the world");
        let (data, plugins) = (folder.path().join("data"), folder.path().join("plugins"));
        let ca = folder.path().join("ca.pem");
        providers.write_ca_pem(&ca).or_fail("write the throw-away authority");
        copy_plugins(&plugins);
        if keys.is_empty() {
            compiled::lend_key(&data).await;
        }
        // Before the server starts, because it locks the data folder.
        let environment = with_store(&keys, database.as_ref());
        let api_key = create_api_key_in(&environment, &data, ORG, "test").await;
        let mut server = ServerOptions::new(data, plugins);
        server.environment = environment;
        server.egress_ca = Some(ca);
        server.resolve = providers.resolve_flags();
        if let Some(change) = options.server {
            change(&mut server);
        }
        if keys.is_empty() {
            compiled::lend_code(&server.data, &server.plugins).await;
        }
        let world = Self { server: Server::start(server).await, providers, api_key, keys, database, folder };
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

    /// The server's plugin folder. The server watches it and loads a file that is put here.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Runs a subcommand on [`data`](Self::data). Returns its exit code, stdout and stderr.
    pub async fn command(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.command_keyed(&self.keys, arguments).await
    }

    /// The same with other environment variables, which name the key provider.
    pub async fn command_keyed(&self, keys: &[(String, String)], arguments: &[&str]) -> (Option<i32>, String, String) {
        let data = self.data().display().to_string();
        let environment = with_store(keys, self.database.as_ref());
        let output = run_in(&environment, arguments.iter().copied().chain(["--data", &data])).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).or_fail("read a command's output");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Runs a command that calls the server, with an API key. Returns its exit code, stdout and stderr.
    pub async fn client(&self, key: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let environment =
            [("KEYFERRY_API_KEY".to_owned(), key.to_owned()), ("KEYFERRY_SERVER".to_owned(), self.server.url())];
        let output = run_in(&environment, arguments.iter().copied()).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).or_fail("read a command's output");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// A further server on the database of this world, with a data folder of its own and the same key.
    pub async fn another_server(&mut self, name: &str) -> Server {
        let mut options = self.server.options_mut().clone();
        options.data = self.folder.path().join(name);
        let key = self.data().join("keyferry.key").display().to_string();
        options.arguments.extend(["--key-file".to_owned(), key]);
        compiled::lend_code(&options.data, &options.plugins).await;
        Server::start(options).await
    }

    /// Sends a request with the API key to one of several servers. The response has to agree with the API's description.
    pub async fn send_to(&self, server: &Server, request: Request) -> Response {
        checked(request.header("x-api-key", &self.api_key), server).await
    }

    /// Creates one more linked account.
    pub async fn create_account(&self, account: &str) {
        let answer = self
            .send(Request::new("POST", "/api/v2/public/linked-account").json(&json!({ "account_id": account })))
            .await;
        if answer.status != 200 {
            fail(format_args!("linked account {account} was not created: {} {}", answer.status, answer.text()));
        }
    }

    /// Sends a request with the API key. The response has to agree with the API's description.
    pub async fn send(&self, request: Request) -> Response {
        self.send_as_it_is(request.header("x-api-key", &self.api_key)).await
    }

    /// Sends a request without an API key, or with its own. The response has to agree with the API's description.
    pub async fn send_as_it_is(&self, request: Request) -> Response {
        checked(request, &self.server).await
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

/// The response of a server, which has to agree with the API's description.
async fn checked(request: Request, server: &Server) -> Response {
    let (method, target) = (request.method.clone(), request.target.clone());
    let answer = request.send(server.address()).await;
    let violations = Contract::fixed().violations(&method, &target, &answer);
    if !violations.is_empty() {
        fail(format_args!(
            "{method} {target}: the response differs from the API's description: {}\n{} {:?}\n{}",
            violations.join("; "),
            answer.status,
            answer.headers,
            answer.text()
        ));
    }
    answer
}

/// A database for a world, where `KEYFERRY_TEST_STORE` is `postgres`.
fn database_if_asked_for() -> Option<Database<'static>> {
    match std::env::var("KEYFERRY_TEST_STORE").as_deref() {
        Ok("postgres") => Some(Cluster::shared().or_fail("there is PostgreSQL").database()),
        Ok("sled") | Err(_) => None,
        Ok(other) => fail(format_args!("KEYFERRY_TEST_STORE is {other}: sled or postgres")),
    }
}

fn with_store(keys: &[(String, String)], database: Option<&Database<'_>>) -> Vec<(String, String)> {
    let store = database.map(|database| ("KEYFERRY_STORE_URL".to_owned(), database.url()));
    keys.iter().cloned().chain(store).collect()
}

/// Creates an API key in a data folder that no server has open.
pub async fn create_api_key(data: &Path, org: &str, environment: &str) -> String {
    create_api_key_in(&[], data, org, environment).await
}

/// The same with environment variables that name the key provider; a server may run.
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
