//! Every command of the README and of the guide works, and the tables of the guide are those of the program.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyferry_devkit::cases::FaultName;
use keyferry_devkit::check::{Code, Level};
use keyferry_mock_providers::apps::{demo, demo_providers};
use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::documents::Document;
use keyferry_tests::http::Request;
use keyferry_tests::plugins::{printed, shipped};
use keyferry_tests::{Grants, Server, ServerOptions, binary, tools};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The pages for callers and operators, in the order in which one reader types their commands.
pub(crate) const GUIDE: [&str; 8] = [
    "docs/quickstart.md",
    "docs/api.md",
    "docs/oauth-clients.md",
    "docs/imports.md",
    "docs/operations/configuration.md",
    "docs/operations/keys.md",
    "docs/operations/audit.md",
    "docs/operations/monitoring.md",
];
/// The same for plugin authors.
pub(crate) const PLUGIN_GUIDE: [&str; 4] =
    ["docs/plugins/tutorial.md", "docs/plugins/testing.md", "docs/plugins/languages.md", "docs/plugins/deploying.md"];

/// Types the commands of a page.
struct Reader {
    home: tempfile::TempDir,
    /// The working folder, after `cd`.
    folder: PathBuf,
    providers: MockProviders,
    /// `https://127.0.0.1:PORT` of the mock provider of the app that the tutorial writes a plugin for.
    app: String,
    key: String,
    /// The last API key that was created with `--scope`.
    scoped_key: String,
    server: Option<Server>,
    /// The number of commands so far.
    ran: usize,
}

impl Reader {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut providers = demo_providers().await.unwrap();
        let app = |request: Received| match request.header("authorization") {
            Some("Bearer YOUR-API-KEY") => Reply::json(200, &serde_json::json!({ "id": "acc_9", "name": "Somebody" })),
            _ => Reply::json(401, &serde_json::json!({ "error": "unauthorized" })),
        };
        let app = providers.add("api.acme.example", app).await.unwrap();
        providers.write_ca_pem(&home.path().join("ca.pem")).unwrap();
        let folder = home.path().to_owned();
        Self {
            home,
            folder,
            providers,
            app: format!("https://{app}"),
            key: String::new(),
            scoped_key: String::new(),
            server: None,
            ran: 0,
        }
    }

    async fn types(&mut self, line: &str) {
        let words = shlex::split(line).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["cd", folder] => self.folder.push(folder),
            // `demo.rs` runs the demo, and this test is part of the suite.
            ["cargo", "run", "--release", "--", "demo"] | ["cargo", "test", "--workspace"] => return,
            // Built once for all tests, by the same command.
            ["keyferry", "plugin", "build", "--all", "--out", out] => binary::copy_plugins(&self.folder.join(out)),
            ["keyferry", "serve", "--listen", _] => self.serve(None).await,
            // Relative to the folder of the commands, which is not that of the test's process.
            ["keyferry", "serve", "--listen", _, "--key-file", key] => self.serve(Some(self.folder.join(key))).await,
            ["keyferry", "plugin", "rollback", slug] => {
                self.build_another_version(slug).await;
                self.keyferry(&words[1..]).await;
            }
            ["export", "KEYFERRY_API_KEY=$KEY"] => {}
            [
                "keyferry",
                rest @ ("import" | "imports" | "export" | "whoami" | "account" | "credentials" | "verify"
                | "oauth-client"),
                more @ ..,
            ] => self.asks_the_server(rest, more).await,
            ["keyferry", rest @ ..] => self.keyferry(rest).await,
            ["npm", "install", "--prefix", plugin] => {
                let installed = tools::javascript().unwrap().join("node_modules");
                std::os::unix::fs::symlink(installed, self.folder.join(plugin).join("node_modules")).unwrap();
            }
            ["python3", "-m", "venv", venv, "&&", pip, "install", "-r", requirements] => {
                assert!(pip.starts_with(venv) && self.folder.join(requirements).is_file());
                let installed = tools::python().unwrap();
                std::os::unix::fs::symlink(installed.parent().unwrap(), self.folder.join(venv)).unwrap();
            }
            ["curl", "--unix-socket", socket, url] => self.ask_the_socket(&self.folder.join(socket), url).await,
            ["curl", "-X", method, url, rest @ ..] => self.curl(method, url, rest).await,
            ["curl", url, rest @ ..] => self.curl("GET", url, rest).await,
            _ => panic!("the reader does not know how to run: {line}"),
        }
        self.ran += 1;
    }

    async fn keyferry(&mut self, words: &[&str]) {
        let mut command = binary::command(binary::keyferry());
        command.args(words).current_dir(&self.folder);
        command.env("CARGO_TARGET_DIR", binary::target().join("test-plugin-new"));
        if let ["plugin", "call" | "record", ..] = words {
            // The app is made up.
            command.args(["--provider", &self.app, "--egress-ca"]).arg(self.home.path().join("ca.pem"));
        }
        let said = run(command).await;
        match words {
            ["api-key", "create", rest @ ..] if rest.contains(&"--scope") => {
                said.trim().clone_into(&mut self.scoped_key)
            }
            ["api-key", "create", ..] => said.trim().clone_into(&mut self.key),
            _ => {}
        }
    }

    /// A command that calls the server over HTTP, with a customer's file of the reader, and the first import of the
    /// list. shows first.
    async fn asks_the_server(&mut self, command: &str, words: &[&str]) {
        let row = format!("user_1,hubspot,oauth2,{}\n", demo::HUBSPOT_ACCESS_TOKEN);
        let file = format!("linked_account_id,slug,auth_type,access_token\n{row}");
        std::fs::write(self.folder.join("customers.csv"), file).unwrap();
        std::fs::write(self.folder.join("hubspot-secret.txt"), "the-secret-of-hubspot\n").unwrap();
        let key = if command == "export" { &self.scoped_key } else { &self.key };
        let server = format!("http://{}", self.server());
        let asking = |words: Vec<String>| {
            let mut asking = binary::command(binary::keyferry());
            asking.args(words).current_dir(&self.folder).env("KEYFERRY_API_KEY", key).env("KEYFERRY_SERVER", &server);
            asking
        };
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        if let Some(id) = words.iter_mut().find(|word| *word == "$IMPORT") {
            let listed = run(asking(["imports", "list", "--json"].map(str::to_owned).to_vec())).await;
            let listed: Value = serde_json::from_str(&listed).unwrap();
            listed[0]["id"].as_str().unwrap().clone_into(id);
        }
        words.insert(0, command.to_owned());
        run(asking(words)).await;
    }

    /// Before a rollback without an earlier version, changes the plugin.
    async fn build_another_version(&mut self, slug: &str) {
        let source = self.folder.join("src/lib.rs");
        let text = std::fs::read_to_string(&source).unwrap();
        std::fs::write(&source, text.replace("\"Acme\"", "\"Acme Inc.\"")).unwrap();
        self.keyferry(&["plugin", "build", ".", "--out", "keyferry-data/plugins"]).await;
        self.keyferry(&["plugin", "grant", slug]).await;
    }

    /// Starts the server; a running one is stopped first.
    async fn serve(&mut self, key: Option<PathBuf>) {
        if let Some(mut former) = self.server.take() {
            assert!(former.terminate().await.success());
        }
        let data = self.folder.join("keyferry-data");
        let mut options = ServerOptions::new(&data, data.join("plugins"));
        options.grants = Grants::ByHand;
        options.egress_ca = Some(self.home.path().join("ca.pem"));
        options.resolve = self.providers.resolve_flags();
        options.arguments.extend(key.into_iter().flat_map(|key| ["--key-file".to_owned(), key.display().to_string()]));
        self.server = Some(Server::start(options).await);
    }

    fn server(&self) -> SocketAddr {
        self.server.as_ref().expect("a server was started before").address()
    }

    async fn curl(&self, method: &str, url: &str, rest: &[&str]) {
        let target = url.strip_prefix("http://127.0.0.1:8700").unwrap();
        let mut request = Request::new(method, target);
        for option in rest.chunks(2) {
            match option {
                ["-H", header] => {
                    let (name, value) = header.split_once(": ").or_else(|| header.split_once(':')).unwrap();
                    request = request.header(name.trim(), &value.trim().replace("$KEY", &self.key));
                }
                ["-d", body] => {
                    let token = format!("\"access_token\":\"{}\"", demo::HUBSPOT_ACCESS_TOKEN);
                    request.body = body.replace("\"access_token\":\"...\"", &token).into_bytes();
                }
                other => panic!("{other:?}"),
            }
        }
        let answer = request.send(self.server()).await;
        assert!(answer.status == 200 && !answer.text().contains("error"), "{url}: {}", answer.text());
    }

    async fn ask_the_socket(&self, socket: &Path, url: &str) {
        let mut options = ServerOptions::new(socket.parent().unwrap(), socket.with_file_name("plugins"));
        options.grants = Grants::ByHand;
        // In the plugin guide no server runs by then.
        let _server = match &self.server {
            Some(_) => None,
            None => Some(Server::start(options).await),
        };
        let path = url.strip_prefix("http://keyferry").unwrap();
        let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: keyferry\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let expected = if path.ends_with("/plugins") { "\"acme\"" } else { "\"obstacles\":[]" };
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains(expected), "{answer}");
    }
}

async fn run(mut command: Command) -> String {
    tokio::task::spawn_blocking(move || printed(&command.output().unwrap(), 0)).await.unwrap()
}

#[tokio::test]
async fn every_command_of_the_readme_works() {
    let mut reader = Reader::new().await;
    for line in Document::read("README.md").commands() {
        reader.types(&line).await;
    }
    assert!(reader.ran >= 6, "{}", reader.ran);
}

#[tokio::test]
async fn every_command_of_the_guide_works() {
    let mut reader = Reader::new().await;
    for page in GUIDE {
        for line in Document::read(page).commands() {
            reader.types(&line).await;
        }
    }
    assert!(reader.ran >= 36, "{}", reader.ran);
}

#[tokio::test]
async fn every_command_of_the_guide_to_plugins_works() {
    let credential = &Document::read("docs/plugins/testing.md").blocks("json")[0];
    let (javascript, python) = (tools::javascript().is_some(), tools::python().is_some());
    let mut reader = Reader::new().await;
    for line in PLUGIN_GUIDE.iter().flat_map(|page| Document::read(page).commands()) {
        let skipped = (!javascript && line.contains("acme-js")) || (!python && line.contains("acme-py"));
        if !skipped {
            reader.types(&line).await;
        }
        if line.starts_with("cd ") {
            std::fs::write(reader.folder.join("credential.json"), credential).unwrap();
        }
    }
    assert!(reader.ran >= 20, "{}", reader.ran);
}

#[test]
fn the_case_in_the_guide_passes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("guide.toml"), &Document::read("docs/plugins/testing.md").blocks("toml")[0])
        .unwrap();
    let mut command = binary::command(binary::keyferry());
    command.args(["plugin", "test"]).arg(binary::plugins().join("hubspot.wasm")).arg("--cases").arg(folder.path());
    // A plugin needs more than one case.
    let said = printed(&command.output().unwrap(), 1);
    assert!(said.contains("ok    guide  HubSpot does not know the token."), "{said}");
}

/// The account and the failures that a plugin's cases expect; not every plugin distinguishes these failures, and its
/// component passes the cases.
fn told(slug: &str) -> (String, String) {
    let (mut details, mut verdicts) = (BTreeSet::new(), BTreeSet::new());
    for file in std::fs::read_dir(shipped(slug).join("cases")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let (_, expected) = text.split_once("[expect]").unwrap();
        let is_verified = expected.contains("verdict = \"verified\"");
        for (name, value) in expected.lines().filter_map(|line| line.split_once(" = ")) {
            match name {
                "verdict" => _ = verdicts.insert(value.trim_matches('"').to_owned()),
                "account-id" | "display-name" | "scopes" | "expires-at" | "config" if is_verified => {
                    details.insert(name.replace('-', " "));
                }
                _ => {}
            }
        }
    }
    for common in ["verified", "rejected", "rate-limited", "provider-error", "unexpected-answer", "unreachable"] {
        verdicts.remove(common);
    }
    let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
    (list(details), list(verdicts))
}

/// Grants, with hosts that get the same requests in one line.
fn asked(grants: &[&str]) -> String {
    let mut of_hosts: Vec<(&str, Vec<String>)> = Vec::new();
    for grant in grants {
        let (method, url) = grant.split_once(" https://").unwrap();
        let (host, path) = url.split_once('/').unwrap();
        let request = format!("`{method} /{}`", path.trim_end_matches('*').trim_end_matches('/'));
        match of_hosts.iter_mut().find(|(known, _)| *known == host) {
            Some((_, requests)) => requests.push(request),
            None => of_hosts.push((host, vec![request])),
        }
    }
    let mut lines: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for (host, requests) in of_hosts {
        let host = format!("`{host}`");
        match lines.iter_mut().find(|(known, _)| *known == requests) {
            Some((_, hosts)) => hosts.push(host),
            None => lines.push((requests, vec![host])),
        }
    }
    let line =
        |(requests, hosts): &(Vec<String>, Vec<String>)| format!("{} of {}", requests.join(", "), hosts.join(", "));
    lines.iter().map(line).collect::<Vec<_>>().join("<br>")
}

#[test]
fn the_guides_table_of_apps_is_what_the_components_say() {
    let mut apps =
        "| app | auth types | asks for | tells of an account | tells apart | KiB |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for slug in binary::slugs() {
        let mut command = binary::command(binary::keyferry());
        command.args(["plugin", "inspect", "--json"]).arg(binary::plugins().join(format!("{slug}.wasm")));
        let told: Value = serde_json::from_str(&printed(&command.output().unwrap(), 0)).unwrap();
        let list =
            |name: &str, item: fn(&Value) -> &str| told[name].as_array().unwrap().iter().map(item).collect::<Vec<_>>();
        let auth_types = list("auth_types", |one| one["name"].as_str().unwrap()).join(", ");
        let requests = asked(&list("requests", |one| one.as_str().unwrap()));
        let kib = told["bytes"].as_u64().unwrap() / 1024;
        let (name, docs) = (told["name"].as_str().unwrap(), told["docs"].as_str().unwrap());
        let (details, apart) = self::told(&slug);
        apps.push_str(&format!(
            "| [{name}]({docs}) `{slug}` | {auth_types} | {requests} | {details} | {apart} | {kib} |\n"
        ));
    }
    let page = Document::read("docs/plugins/catalogue.md");
    assert_eq!(page.section("apps"), apps, "write this into docs/plugins/catalogue.md:\n{apps}");
}

#[test]
fn the_guides_tables_are_those_of_the_program() {
    let page = Document::read("docs/plugins/testing.md");
    let mut faults = "| fault | what happens |\n|---|---|\n".to_owned();
    for fault in FaultName::ALL {
        faults.push_str(&format!("| `{fault}` | {} |\n", fault.about()));
    }
    assert_eq!(page.section("faults"), faults, "write this into docs/plugins/testing.md:\n{faults}");
    let mut faults = "| fault | what happens |\n|---|---|\n".to_owned();
    for fault in FaultName::OF_RENEWALS {
        faults.push_str(&format!("| `{fault}` | {} |\n", fault.about()));
    }
    assert_eq!(page.section("faults-of-renewals"), faults, "write this into docs/plugins/testing.md:\n{faults}");
    let page = Document::read("docs/plugins/lint-codes.md");
    let mut codes = "| code | | what | what to do |\n|---|---|---|---|\n".to_owned();
    for code in Code::ALL {
        let level = match code.level() {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        codes.push_str(&format!("| {code} | {level} | {} | {} |\n", code.title(), code.next()));
    }
    assert_eq!(page.section("codes"), codes, "write this into docs/plugins/lint-codes.md:\n{codes}");
}
