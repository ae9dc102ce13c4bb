//! One large import: every row accounted for through kills, its memory, its rate, and its undo.

#![expect(
    clippy::indexing_slicing,
    reason = "a member that JSON does not have is null, and the lists have something in them"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use clap::Args;
use keyferry_tests::World;
use keyferry_tests::bulk::{self, CLIENTS, IMPORTS, MADE, Unit, generate, request, show, start, upload};
use keyferry_tests::hostile::Holdings;
use keyferry_tests::http::Request;
use keyferry_tests::trail::rows_stored;
use serde_json::Value;

/// The pause after an import, after which the server counts as idle.
const REST: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(crate) struct Imports {
    /// Rows of the file
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// How often the server is killed during the import
    #[arg(long, default_value_t = 20)]
    kills: u64,
}

/// Imports a large file, kills the server repeatedly meanwhile, and undoes the import.
pub(crate) async fn imports(options: &Imports, seed: u64) -> Result<String, Box<dyn Error>> {
    let (mut world, credentials) = start().await;
    let single = bulk::rate(&world, &credentials, Unit::Credential, "alone").await?;
    let whole = bulk::rate(&world, &credentials, Unit::AccountAndCredential, "before").await?;
    println!("single endpoint: {single:.0} credentials a second, {whole:.0} accounts with their credential");
    // The resources of a server that has served, and of one that has just started.
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
    println!("the whole file is in the ledger after {received:.1?}");

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
        return Err(format!("the outcomes differ: {end:#}\nexpected {expected:#?}").into());
    }
    // Before any further request: reading stored records fills the store's cache.
    tokio::time::sleep(REST).await;
    let rested = Holdings::of(world.server.pid());
    let versions = stored_versions(&world).await?;
    let rate = f64::from(u32::try_from(options.rows)?) / working.as_secs_f64();
    // A larger store is slower for all requests: the rate for comparison is measured before and after.
    let whole_after = bulk::rate(&world, &credentials, Unit::AccountAndCredential, "after").await?;
    println!("{rate:.0} rows a second, {whole_after:.0} by the single endpoint now; undoing it");
    // After a restart: the memory that the stored data itself needs.
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
        return Err("the stored data after undo differs from the data before".into());
    }
    let rest = REST.as_secs();
    let mib = |bytes: usize| bytes / (1024 * 1024);
    let table: String = expected.iter().map(|(outcome, count)| format!("| {outcome} | {count} |\n")).collect();
    Ok(format!(
        "{} rows of {} ways to authenticate with 16 apps, seed {seed}, a tenth of them bad, with every kind of \
         defect; server and mock providers on one machine. SIGKILL {killed} times during the import. Each row has its \
         outcome in the ledger, each credential was stored once ({versions}), and after undo the export is the same \
         as before, except for timestamps.\n\n\
         | outcome | rows |\n|---|---|\n{table}\n\
         | measured | |\n|---|---|\n\
         | the file received into the ledger | {received:.1?} |\n\
         | rows a second while working, starts after kills left out | {rate:.0} |\n\
         | the same by {CLIENTS} clients of the single endpoints: an account and its credential | {whole:.0} before, \
         {whole_after:.0} with the import stored |\n\
         | bulk against the mean of both | {:.2} |\n\
         | credentials alone, for an existing account | {single:.0} |\n\
         | bulk against that | {:.2} |\n\
         | resident before, freshly started, and idle {rest} s after single requests | {} and {} MiB |\n\
         | resident at most, and idle {rest} s after its end | {} and {} MiB |\n\
         | resident, freshly started with the import stored | {} MiB |\n\
         | undone in | {undone:.1?} |\n",
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

/// All credentials of the environment except those of accounts that single requests created, each line without its
/// timestamps, as one digest and their number.
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

/// Checks that each credential of the import is in its first version: the audit trail has it once.
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
