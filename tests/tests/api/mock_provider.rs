//! `keyferry mock-provider`, as a person types it: its output is sufficient to import credentials of every shipped app
//! without an account at any provider.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use keyferry_tests::documents::Document;
use keyferry_tests::http::Request;
use keyferry_tests::mock_command::MockCommand;
use keyferry_tests::plugins::{printed, shipped};
use keyferry_tests::{Grants, Server, ServerOptions, binary, compiled, create_api_key, run, run_in};
use serde_json::{Value, json};

/// The page whose commands are typed here.
pub(crate) const PAGE: &str = "docs/try-without-accounts.md";

/// Mock providers, and a server that was started with the printed command.
struct Trial {
    mock: MockCommand,
    server: Server,
    api_key: String,
    folder: tempfile::TempDir,
}

impl Trial {
    async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, arguments).await
    }

    async fn start_in(folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        let plugins = binary::plugins().display().to_string();
        let given: Vec<&str> = [arguments, &["--plugins", &plugins]].concat();
        let mock = MockCommand::start(folder.path(), &given).await;
        let flags = if given.contains(&"--json") {
            let flags = mock.document()["serve_flags"].as_array().unwrap().clone();
            flags.iter().map(|flag| flag.as_str().unwrap().to_owned()).collect()
        } else {
            mock.command("serve")
        };
        let data = folder.path().join("data");
        compiled::lend(&data, binary::plugins()).await;
        let api_key = create_api_key(&data, "acme", "test").await;
        let server = server(&data, binary::plugins(), flags).await;
        Self { mock, server, api_key, folder }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let pairs = [("KEYFERRY_SERVER", self.server.url()), ("KEYFERRY_API_KEY", self.api_key.clone())];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// Imports a file, and returns the outcome of each row by its linked account.
    async fn import(&self, file: &str, more: &[&str]) -> BTreeMap<String, Value> {
        let environment = self.environment();
        let imported = run_in(&environment, [&["import", "--json", "--create-accounts", file], more].concat()).await;
        let said = String::from_utf8_lossy(&imported.stderr).into_owned();
        let events = String::from_utf8(imported.stdout).unwrap();
        let mut events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let end = events.find(|event| event["event"] == "end").unwrap_or_else(|| panic!("{said}"));
        let id = end["import"]["id"].as_str().unwrap_or_else(|| panic!("{end}\n{said}"));
        let results = run_in(&environment, ["imports", "results", id]).await;
        let rows = String::from_utf8(results.stdout).unwrap();
        let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| (row["linked_account_id"].as_str().unwrap().to_owned(), row)).collect()
    }

    /// Migrates a credential: `verified`, or the code of the failure.
    async fn migrate(&self, credential: &Value) -> String {
        let account = Request::new("POST", "/api/v2/public/linked-account").json(&json!({ "account_id": "user_1" }));
        account.header("x-api-key", &self.api_key).send(self.server.address()).await;
        let auth_object = json!({ credential["auth_type"].as_str().unwrap(): credential["fields"] });
        let body = json!({ "slug": credential["slug"], "auth_object": auth_object });
        let request = Request::new("PUT", "/api/v2/public/migrate-token").json(&body);
        let request = request.header("linked_account_id", "user_1").header("x-api-key", &self.api_key);
        let answer = request.header("accept", "application/problem+json").send(self.server.address()).await;
        match answer.header("keyferry-failure") {
            Some(failure) => failure.to_owned(),
            None if answer.status == 200 => "verified".to_owned(),
            None => panic!("{} {}", answer.status, answer.text()),
        }
    }
}

/// The outcome of a row with a credential of this verdict.
fn row_outcome(verdict: &str) -> &str {
    if verdict == "verified" { "created" } else { verdict }
}

async fn server(data: &Path, plugins: &Path, mut flags: Vec<String>) -> Server {
    // The arguments already name the folders.
    if let Some(at) = flags.iter().position(|flag| flag == "--plugins") {
        flags.drain(at..at + 2);
    }
    let mut options = ServerOptions::new(data, plugins);
    // The flag `--dev` already grants plugins when they are dropped in.
    options.grants = Grants::ByHand;
    options.arguments = flags;
    options.arguments.extend(["--failed-verifications", "100000"].map(str::to_owned));
    Server::start(options).await
}

/// A credential of the printed document.
fn credential<'a>(document: &'a Value, slug: &str, outcome: &str) -> &'a Value {
    let all = document["credentials"].as_array().unwrap();
    let found = all.iter().find(|one| one["slug"] == slug && one["outcome"] == outcome);
    found.unwrap_or_else(|| panic!("no {outcome} credential of {slug}: {document}"))
}

#[tokio::test]
async fn every_case_of_every_shipped_app_ends_in_the_outcome_that_the_table_promises() {
    let trial = Trial::start(&["--every-case", "--json", "--retry-after", "1s"]).await;
    let document = trial.mock.document();
    let credentials = document["credentials"].as_array().unwrap();
    let mut missing: BTreeSet<String> = BTreeSet::new();
    for slug in binary::slugs() {
        let cases = std::fs::read_dir(shipped(&slug).join("cases")).unwrap().map(|entry| entry.unwrap().path());
        // A case of a renewal is not one of a verification.
        let cases = cases.filter(|case| !std::fs::read_to_string(case).unwrap().contains("\n[renewal]\n"));
        missing.extend(cases.map(|case| format!("{slug}-{}", case.file_stem().unwrap().to_str().unwrap())));
    }
    for one in credentials {
        assert!(missing.remove(one["linked_account_id"].as_str().unwrap()), "{one}");
    }
    // It has no value, so a file has no such row.
    assert_eq!(missing, BTreeSet::from(["slack-no-token".to_owned()]), "each case has a credential");
    let no_token = json!({ "slug": "slack", "auth_type": "keybased", "fields": {} });
    assert_eq!(trial.migrate(&no_token).await, "rejected");
    let rows = trial.import(document["sample"].as_str().unwrap(), &[]).await;
    assert_eq!(rows.len(), credentials.len());
    let mut wrong = Vec::new();
    for one in credentials {
        let row = &rows[one["linked_account_id"].as_str().unwrap()];
        let expected = one["then"].as_str().or(one["outcome"].as_str()).unwrap();
        if row["outcome"] != row_outcome(expected) {
            wrong.push(format!("{} {}: {expected}, and {row}", one["slug"], one["case"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_it_prints_is_all_that_it_takes_to_import_the_sample() {
    let trial = Trial::start(&["hubspot", "stripe"]).await;
    let words = trial.mock.command("import --create-accounts");
    let dry = trial.mock.command("import --dry-run --create-accounts");
    assert_eq!(words, dry);
    let rows = trial.import(&words[0], &[]).await;
    for (account, outcome) in [
        ("hubspot-valid", "created"),
        ("hubspot-expired", "rejected"),
        ("hubspot-rejected", "rejected"),
        ("hubspot-missing-scopes", "insufficient_scope"),
        ("hubspot-rate-limited", "created"),
        ("hubspot-provider-down", "provider_error"),
        ("stripe-valid", "created"),
        ("stripe-rejected", "rejected"),
    ] {
        assert_eq!(rows[account]["outcome"], outcome, "{account}: {}", rows[account]);
    }
    assert!(trial.mock.printed.contains("rate_limited for 2s, then verified"), "{}", trial.mock.printed);
    assert!(rows.keys().all(|account| account.starts_with("hubspot-") || account.starts_with("stripe-")));
    let folder = Path::new(&words[0]).parent().unwrap().to_owned();
    assert!(folder.is_dir());
    assert!(trial.mock.interrupt().await.success());
    assert!(!folder.exists(), "{}", folder.display());
}

#[tokio::test]
async fn latency_outage_and_rate_limits_are_seen_by_the_server() {
    let trial = Trial::start(&["hubspot", "stripe", "--json", "--latency", "300ms", "--outage", "stripe"]).await;
    let document = trial.mock.document();
    let began = Instant::now();
    assert_eq!(trial.migrate(credential(&document, "hubspot", "verified")).await, "verified");
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    let stripe: Vec<&Value> =
        document["credentials"].as_array().unwrap().iter().filter(|one| one["slug"] == "stripe").collect();
    assert!(stripe.iter().all(|one| one["outcome"] != "verified"), "{stripe:?}");
    assert_eq!(trial.migrate(credential(&document, "stripe", "provider_error")).await, "provider_error");

    let limited = credential(&document, "hubspot", "rate_limited");
    assert_eq!(limited["then"], "verified");
    assert_eq!(trial.migrate(limited).await, "rate_limited");
    let deadline = Instant::now() + Duration::from_secs(60);
    while trial.migrate(limited).await != "verified" {
        assert!(Instant::now() < deadline, "the rate limit does not end");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut unknown = credential(&document, "hubspot", "verified").clone();
    unknown["fields"]["access_token"] = json!("pat-na1-99999999-9999-9999-9999-999999999999");
    assert_eq!(trial.migrate(&unknown).await, "rejected");
}

#[tokio::test]
async fn an_outage_of_all_is_seen_with_every_credential() {
    let trial = Trial::start(&["hubspot", "slack", "--json", "--outage"]).await;
    let document = trial.mock.document();
    for slug in ["hubspot", "slack"] {
        let of_app = document["credentials"].as_array().unwrap().iter().filter(|one| one["slug"] == slug);
        assert!(of_app.clone().count() > 2 && of_app.clone().all(|one| one["outcome"] != "verified"), "{document}");
        assert_eq!(trial.migrate(credential(&document, slug, "provider_error")).await, "provider_error");
    }
}

#[tokio::test]
async fn a_server_that_trusts_the_authority_goes_on_after_a_restart_of_the_mock_providers() {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem").display().to_string();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let arguments = ["hubspot", "--json", "--port", &port, "--ca-file", &ca_file];
    let trial = Trial::start_in(folder, &arguments).await;
    let document = trial.mock.document();
    assert_eq!((&document["address"], &document["ca_file"]), (&json!(format!("127.0.0.1:{port}")), &json!(ca_file)));
    let good = credential(&document, "hubspot", "verified").clone();
    assert_eq!(trial.migrate(&good).await, "verified");
    let key = std::fs::metadata(format!("{ca_file}.key")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
    let Trial { mock, server, api_key, folder } = trial;
    assert!(mock.interrupt().await.success());
    let plugins = binary::plugins().display().to_string();
    let mock = MockCommand::start(folder.path(), &[&arguments[..], &["--plugins", &plugins]].concat()).await;
    let trial = Trial { mock, server, api_key, folder };
    assert_eq!(trial.migrate(&good).await, "verified");
}

#[tokio::test]
async fn credentials_of_the_users_end_as_the_user_says() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = "linked_account_id,slug,outcome,auth_type,access_token,api_key,account_id,consumer_key,consumer_secret,token_id,\
                  token_secret,shop\n\
                  a-good,hubspot,good,oauth2,our-token-1,,,,,,,\n\
                  b-expired,hubspot,Expired,oauth2,our-token-2,,,,,,,\n\
                  c-scopes,hubspot,restricted,oauth2,our-token-3,,,,,,,\n\
                  d-limited,hubspot,rate-limited,oauth2,our-token-4,,,,,,,\n\
                  e-down,hubspot,down,oauth2,our-token-5,,,,,,,\n\
                  f-case,hubspot,missing-scopes,oauth2,our-token-6,,,,,,,\n\
                  g-key,stripe,good,keybased,,sk_test_ours1,,,,,,\n\
                  h-own-host,netsuite,good,keybased,,,TSTDRV123_SB9,our-ck,our-cs,our-ti,our-ts,\n\
                  i-own-host,netsuite,rejected,keybased,,,9876543,our-ck2,our-cs2,our-ti2,our-ts2,\n";
    let file = folder.path().join("tokens.csv");
    std::fs::write(&file, tokens).unwrap();
    let file = file.display().to_string();
    let trial = Trial::start_in(folder, &["hubspot", "stripe", "netsuite", "--tokens", &file]).await;
    assert!(trial.mock.printed.contains("and 9 of yours"), "{}", trial.mock.printed);
    assert!(!trial.mock.printed.contains("our-token"), "{}", trial.mock.printed);
    let rows = trial.import(&file, &["--map", "outcome="]).await;
    for (account, outcome) in [
        ("a-good", "created"),
        ("b-expired", "rejected"),
        ("c-scopes", "insufficient_scope"),
        ("d-limited", "created"),
        ("e-down", "provider_error"),
        ("f-case", "insufficient_scope"),
        ("g-key", "created"),
        ("h-own-host", "created"),
        ("i-own-host", "rejected"),
    ] {
        assert_eq!(rows[account]["outcome"], outcome, "{account}: {}", rows[account]);
    }
    drop(trial.folder);
}

#[tokio::test]
async fn a_plugin_of_ones_own_has_mock_providers_of_its_own_cases() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("acme.wasm");
    std::fs::copy(binary::plugins().join("hubspot.wasm"), &component).unwrap();
    let cases = shipped("hubspot").join("cases").display().to_string();
    let mock = MockCommand::start(folder.path(), &["./acme.wasm", "--cases", &cases, "--json"]).await;
    let document = mock.document();
    assert_eq!(credential(&document, "hubspot", "verified")["case"], "valid");
    // Names that scripts use.
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let of = |names: &str| names.split(' ').map(str::to_owned).collect::<BTreeSet<String>>();
    let document_names = of("address ca_file sample resolve serve_flags latency_ms tokens credentials");
    assert_eq!(names(&document), document_names);
    let credential_names = of("linked_account_id slug auth_type fields case about outcome then");
    assert_eq!(names(&document["credentials"][0]), credential_names);
    assert_eq!(document["resolve"].as_array().unwrap().len(), 1, "{document}");
}

#[tokio::test]
async fn a_plugins_folder_is_built_and_its_cases_are_those_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let mock = MockCommand::start(folder.path(), &[&shipped("hubspot").display().to_string(), "--json"]).await;
    let document = mock.document();
    assert_eq!(credential(&document, "hubspot", "verified")["case"], "valid");
    let flags = document["serve_flags"].as_array().unwrap();
    assert!(!flags.contains(&json!("--plugins")), "the server has its own plugin folder: {document}");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = binary::plugins().display().to_string();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let header = "slug,outcome,access_token,api_key\n";
    let no_outcome = write("a.csv", "slug,access_token\nhubspot,x\n");
    let bad_word = write("b.csv", &format!("{header}hubspot,goood,our-secret,\n"));
    let bad_app = write("c.csv", &format!("{header}stripe,good,,sk_test_x\nhubspt,good,our-secret,\n"));
    let bad_field = write("d.csv", &format!("{header}hubspot,good,,our-secret\n"));
    let ragged = write("e.csv", &format!("{header}hubspot,good,our-secret\n"));
    // Placeholders for values.
    let no_app = write("f.csv", &format!("{header}s3cr3t-v4lue,good,our-secret,\n"));
    let no_word = write("g.csv", &format!("{header}hubspot,s3cr3t-v4lue,our-secret,\n"));
    let no_type = write("h.csv", "slug,outcome,auth_type,access_token\nhubspot,good,s3cr3t-v4lue,our-secret\n");
    let cases: [(&[&str], &str); 12] = [
        (&["hubsport"], "`hubsport` is no app; did you mean `hubspot`?"),
        (&["hubspot", "--outage", "strip"], "--outage: `strip` is no app here"),
        (&["hubspot", "stripe", "--outage", "strip"], "did you mean `stripe`?"),
        (&["hubspot", "--latency", "200"], "write a number and a unit, such as 200ms"),
        (&["hubspot", "--tokens", &no_outcome], "no column `outcome`"),
        (
            &["hubspot", "--tokens", &bad_word],
            "line 2 of the tokens: hubspot has no case with the outcome `goood`; it has ",
        ),
        (
            &["hubspot", "stripe", "--tokens", &bad_app],
            "line 3 of the tokens: `hubspt` is no app here; did you mean `hubspot`?",
        ),
        (&["hubspot", "--tokens", &bad_field], "has no auth type with the fields api_key; it has `oauth2` ("),
        (&["hubspot", "--tokens", &ragged], "e.csv:2: "),
        (&["hubspot", "--tokens", &no_app], "line 2 of the tokens: `***` is no app here"),
        (&["hubspot", "--tokens", &no_word], "hubspot has no case with the outcome `***`; it has "),
        (&["hubspot", "--tokens", &no_type], "hubspot has no auth type `***` with the fields access_token; it has "),
    ];
    for (arguments, expected) in cases {
        let output = run([&["mock-provider", "--plugins", &plugins], arguments].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("our-secret") && !said.contains("s3cr3t"), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn without_plugins_and_without_a_checkout_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = binary::command(binary::keyferry());
    let output = command.args(["mock-provider", "hubspot"]).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("keyferry-data/plugins has no plugins") && said.contains("--plugins names a folder"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is created");
}

/// The commands of the page, with the printed command where the page says to copy it.
#[tokio::test]
async fn every_command_of_the_page_works() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("keyferry-data");
    let (mut running, mut environment, mut ran) = (None, Vec::new(), 0);
    for line in Document::read(PAGE).commands() {
        let words = shlex::split(&line).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            // Built once for all tests, by the same command.
            ["keyferry", "plugin", "build", "--all", "--out", out] => binary::copy_plugins(&folder.path().join(out)),
            ["keyferry", "mock-provider", arguments @ ..] => {
                let mock = MockCommand::start(folder.path(), arguments).await;
                let server = server(&data, &data.join("plugins"), mock.command("serve")).await;
                environment.push(("KEYFERRY_SERVER".to_owned(), server.url()));
                running = Some((mock, server));
            }
            ["export", ..] => {
                let (name, command) = line.strip_prefix("export ").unwrap().split_once("=$(keyferry ").unwrap();
                let arguments = shlex::split(command.trim_end_matches(')')).unwrap();
                let data = data.display().to_string();
                let output = run(arguments.iter().map(String::as_str).chain(["--data", &data])).await;
                environment.push((name.to_owned(), printed(&output, 0).trim().to_owned()));
            }
            ["keyferry", command @ ("import" | "imports"), ..] => {
                let mut typed = tokio::process::Command::from(binary::command(binary::keyferry()));
                typed.args(&words[1..]).current_dir(folder.path()).envs(environment.iter().cloned());
                // The sample has rows that fail.
                printed(&typed.output().await.unwrap(), if *command == "import" { 3 } else { 0 });
            }
            _ => panic!("the reader does not know how to run: {line}"),
        }
        ran += 1;
    }
    assert_eq!(ran, 6);
    let (mock, _server) = running.unwrap();
    assert!(mock.interrupt().await.success());
}
