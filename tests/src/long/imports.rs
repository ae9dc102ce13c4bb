//! One large import: every row accounted for through kills, how much memory it takes, how fast it is, and taken back.

#![expect(
    clippy::indexing_slicing,
    reason = "a member that JSON does not have is null, and the lists have something in them"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use keyferry_tests::apps::shipped_apps;
use keyferry_tests::hostile::Holdings;
use keyferry_tests::http::Request;
use keyferry_tests::trail::rows_stored;
use keyferry_tests::{ServerChange, World, WorldOptions, binary};
use serde_json::{Value, json};

use super::single::{self, CLIENTS, MADE, Unit};

const IMPORTS: &str = "/api/v2/public/imports";
/// After the end of an import, until the server counts as idle again.
const REST: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(crate) struct Imports {
    /// Rows of the file
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// How often the server is killed on the way
    #[arg(long, default_value_t = 20)]
    kills: u64,
}

/// What has to come of a file, by outcome.
type Expected = BTreeMap<&'static str, u64>;

/// Imports a large file while the server is killed again and again, and takes it back.
pub(crate) async fn imports(options: &Imports, seed: u64) -> Result<String, Box<dyn Error>> {
    let (mut world, credentials) = start().await;
    let single = single::rate(&world, &credentials, Unit::Credential, "alone").await?;
    let whole = single::rate(&world, &credentials, Unit::AccountAndCredential, "before").await?;
    println!("single endpoint: {single:.0} credentials a second, {whole:.0} accounts with their credential");
    // What a server holds that has served, and one that has just begun.
    tokio::time::sleep(REST).await;
    let served = Holdings::of(world.server.pid());
    world.server.restart().await;
    let idle = Holdings::of(world.server.pid());

    let path = world.folder().join("rows.ndjson");
    let expected = generate(&path, "customer", options.rows, &credentials, seed)?;
    println!("{} rows, {} bytes", options.rows, path.metadata()?.len());
    let before = credentials_digest(&world).await?;
    let began = Instant::now();
    let id = upload(&world, &path).await?;
    let received = began.elapsed();
    println!("all of it is in the ledger after {received:.1?}");

    let mut random = fastrand::Rng::with_seed(seed);
    let (mut most, mut killed, mut working) = (0_usize, 0, Duration::ZERO);
    let mut next_kill = options.rows / (options.kills + 1);
    let mut since = Instant::now();
    let end = loop {
        tokio::time::sleep(Duration::from_millis(200 + random.u64(..100))).await;
        let import = show(&world, &id).await?;
        most = most.max(Holdings::of(world.server.pid()).resident);
        let settled = options.rows - import["counts"]["queued"].as_u64().unwrap_or_default();
        if import["state"] != "running" {
            working += since.elapsed();
            break import;
        }
        if killed < options.kills && settled >= next_kill {
            working += since.elapsed();
            println!("{settled} rows settled, kill {}", killed + 1);
            world.server.restart().await;
            killed += 1;
            next_kill = settled + (options.rows - settled) / (options.kills - killed + 1);
            since = Instant::now();
        }
    };
    let outcomes: BTreeMap<&str, u64> = end["outcomes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(outcome, count)| (outcome.as_str(), count.as_u64().unwrap_or_default()))
        .collect();
    if outcomes != expected || end["state"] != "finished" {
        return Err(format!("it came out otherwise: {end:#}\nexpected {expected:#?}").into());
    }
    // Before anything else is asked for: whoever reads what is stored fills the store's cache.
    tokio::time::sleep(REST).await;
    let rested = Holdings::of(world.server.pid());
    let versions = stored_versions(&world).await?;
    let rate = f64::from(u32::try_from(options.rows)?) / working.as_secs_f64();
    // A store that grew is slower for everybody: what the import is compared with is measured at both ends.
    let whole_after = single::rate(&world, &credentials, Unit::AccountAndCredential, "after").await?;
    println!("{rate:.0} rows a second, {whole_after:.0} by the single endpoint now; taking it back");
    // What of that is due to what is stored now, whoever stored it.
    world.server.restart().await;
    let full = Holdings::of(world.server.pid());
    let undo_began = Instant::now();
    let answer = world.send_as_it_is(request(&world, "POST", &format!("{IMPORTS}/{id}/undo"))).await;
    if answer.status != 200 {
        return Err(answer.text().into());
    }
    while show(&world, &id).await?["state"] == "undoing" {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let undone = undo_began.elapsed();
    let after = credentials_digest(&world).await?;
    if before != after {
        return Err("what is stored after undo is not what was stored before".into());
    }
    let rest = REST.as_secs();
    let mib = |bytes: usize| bytes / (1024 * 1024);
    let table: String = expected.iter().map(|(outcome, count)| format!("| {outcome} | {count} |\n")).collect();
    Ok(format!(
        "{} rows of {} ways to authenticate with 16 apps, seed {seed}, a tenth of them bad in every way; server and stand-ins of \
         the providers on one machine. SIGKILL {killed} times on the way. Each row has its outcome in the ledger, each credential \
         was stored once ({versions}), and after undo the export is what it was before, byte for byte but for times.\n\n\
         | outcome | rows |\n|---|---|\n{table}\n\
         | measured | |\n|---|---|\n\
         | the file received into the ledger | {received:.1?} |\n\
         | rows a second while working, starts after kills left out | {rate:.0} |\n\
         | the same by {CLIENTS} clients of the single endpoints: an account and its credential | {whole:.0} before, \
         {whole_after:.0} with all of it stored |\n\
         | bulk against the mean of both | {:.2} |\n\
         | credentials alone, for an account that is there | {single:.0} |\n\
         | bulk against that | {:.2} |\n\
         | resident before, freshly started, and idle {rest} s after single requests | {} and {} MiB |\n\
         | resident at most, and idle {rest} s after its end | {} and {} MiB |\n\
         | resident, freshly started with all of it stored | {} MiB |\n\
         | taken back in | {undone:.1?} |\n",
        options.rows,
        credentials.len(),
        rate / f64::midpoint(whole, whole_after),
        rate / single,
        mib(idle.resident),
        mib(served.resident),
        mib(most),
        mib(rested.resident),
        mib(full.resident),
    ))
}

/// A world with all apps, and a credential for each way to authenticate with one.
pub(super) async fn start() -> (World, Vec<(&'static str, Value)>) {
    let (providers, credentials) = shipped_apps().await;
    let change: ServerChange = Box::new(|options| {
        binary::copy(binary::slugs(), &options.plugins);
        options.environment.push(("KEYFERRY_LOG".to_owned(), "warn".to_owned()));
    });
    (World::start_with(WorldOptions { providers: Some(providers), server: Some(change) }).await, credentials)
}

/// Writes a file. What has to come of it.
pub(super) fn generate(
    path: &Path,
    accounts: &str,
    rows: u64,
    credentials: &[(&'static str, Value)],
    seed: u64,
) -> Result<Expected, Box<dyn Error>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut out = BufWriter::new(File::create(path)?);
    let mut expected = Expected::new();
    let mut last_good = None;
    for number in 1..=rows {
        let (slug, auth_object) = &credentials[random.usize(..credentials.len())];
        let account = format!("{accounts}_{number}");
        let row = json!({ "linked_account_id": account, "slug": slug, "auth_object": auth_object });
        let (outcome, line) = match (random.u64(..10), number % 7) {
            (0, 0) => ("invalid_json", b"{\"linked_account_id\": ".to_vec()),
            (0, 1) => ("invalid_encoding", b"{\"linked_account_id\": \"\xff\"}".to_vec()),
            (0, 2) => {
                ("missing_column", json!({ "linked_account_id": account, "auth_object": {} }).to_string().into_bytes())
            }
            // Few of them: they are large.
            (0, 3) if random.u64(..50) == 0 => {
                let large = "x".repeat(1_100_000);
                let row = json!({ "linked_account_id": account, "slug": slug, "auth_object": { "keybased": { "api_key": large } } });
                ("row_too_large", row.to_string().into_bytes())
            }
            (0, 4) if last_good.is_some() => ("duplicate_row", last_good.clone().unwrap_or_default()),
            (0, 5) => {
                let row = json!({ "linked_account_id": account, "slug": "nowhere", "auth_object": {} });
                ("unknown_app", row.to_string().into_bytes())
            }
            (0, _) => {
                let row = json!({ "linked_account_id": account, "slug": "stripe",
                    "auth_object": { "keybased": { "api_key": format!("sk_test_wrong{number}") } } });
                ("rejected", row.to_string().into_bytes())
            }
            _ => {
                let line = row.to_string().into_bytes();
                last_good = Some(line.clone());
                ("created", line)
            }
        };
        *expected.entry(outcome).or_default() += 1;
        out.write_all(&line)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(expected)
}

/// Imports a file and waits for its end.
pub(super) async fn run(world: &World, path: &Path) -> Result<(), Box<dyn Error>> {
    let id = upload(world, path).await?;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let import = show(world, &id).await?;
        match import["state"].as_str() {
            Some("running") => {}
            Some("finished") => return Ok(()),
            _ => return Err(format!("the import beside which requests are sent ended otherwise: {import:#}").into()),
        }
    }
}

/// By the command that people use.
async fn upload(world: &World, path: &Path) -> Result<String, Box<dyn Error>> {
    let mut command = tokio::process::Command::from(binary::command(binary::keyferry()));
    command
        .args(["import", "--create-accounts", "--detach", "--json"])
        .arg(path)
        .env("KEYFERRY_API_KEY", &world.api_key)
        .env("KEYFERRY_SERVER", format!("http://{}", world.server.address()));
    let output = command.output().await?;
    let accepted: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(accepted["import"]["id"].as_str().unwrap_or_default().to_owned())
}

fn request(world: &World, method: &str, target: &str) -> Request {
    Request::new(method, target).header("x-api-key", &world.api_key)
}

async fn show(world: &World, id: &str) -> Result<Value, Box<dyn Error>> {
    let answer = request(world, "GET", &format!("{IMPORTS}/{id}"))
        .try_send(world.server.address())
        .await
        .map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&answer.body)?)
}

/// All credentials of the environment but those of the accounts that single requests made, each line without the time of its
/// writing, as one digest and their number.
async fn credentials_digest(world: &World) -> Result<(u64, [u8; 32]), Box<dyn Error>> {
    let arguments = ["api-key", "create", "--org", "acme", "--environment", "test", "--scope", "read_credentials"];
    let (_, key, _) = world.command(&arguments).await;
    let export = Request::new("GET", "/api/v2/public/export").header("x-api-key", key.trim());
    let answer = export.try_send(world.server.address()).await.map_err(|error| error.to_string())?;
    if answer.status != 200 {
        return Err(answer.text().into());
    }
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut count = 0;
    for line in answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut row: Value = serde_json::from_slice(line)?;
        if row["linked_account_id"].as_str().is_some_and(|account| account.starts_with(MADE)) {
            continue;
        }
        row["updated_at"] = Value::Null;
        digest.update(row.to_string().as_bytes());
        count += 1;
    }
    Ok((count, digest.finish().as_ref().try_into()?))
}

/// That each credential that the import stored is in its first version: the trail has it once.
async fn stored_versions(world: &World) -> Result<String, Box<dyn Error>> {
    let (code, trail, said) = world.command(&["audit", "export", "--org", "acme"]).await;
    if code != Some(0) {
        return Err(said.into());
    }
    let rows = rows_stored(&trail);
    match rows.iter().find(|(_, times)| **times != 1) {
        Some((row, times)) => Err(format!("{row} was stored {times} times").into()),
        None => Ok(format!("{} credentials, each in the audit trail once", rows.len())),
    }
}
