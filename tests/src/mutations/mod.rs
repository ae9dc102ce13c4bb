//! Mutations of valid requests: bytes changed, cut, doubled, words swapped, lines moved. The server responds or closes,
//! and is in the same state afterwards.
//!
//! | file | answers |
//! |---|---|
//! | `originals` | which valid requests are there? |
//! | `mutate` | which changes are made to them? |
#![allow(clippy::indexing_slicing, reason = "each place comes from the length of what it is a place in")]

mod mutate;
mod originals;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use keyferry_mock_providers::apps::demo;
use serde_json::json;

use crate::http::{Request, Response};
use crate::or_fail::{OrFail as _, fail};
use crate::process::Usage;
use crate::wire::Wire;
use crate::{ACCOUNT, ServerOptions, World, WorldOptions};
use mutate::{fit, mutate};
use originals::originals;

/// Concurrent connections.
const CLIENTS: usize = 16;
/// Requests after which memory is stable.
const SETTLED: usize = 2_000;
/// Resources that the server may hold beyond those before.
const ALLOWANCE: usize = 32 << 20;
/// Silence after which a client half-closes: most changed lengths leave the server waiting.
const QUIET: Duration = Duration::from_millis(150);

/// The results of mutated requests.
#[derive(Debug, Clone)]
pub struct Mutated {
    /// The seed of all random choices.
    pub seed: u64,
    /// The number of requests.
    pub requests: usize,
    /// Responses by status; 0 where the server closed the connection instead.
    pub statuses: BTreeMap<u16, usize>,
    /// The server's resources before.
    pub before: Usage,
    /// The server's resources afterwards.
    pub after: Usage,
}

/// Sends this number of mutants to a server of their own, and checks the server afterwards. Fails on an undocumented
/// response, on a server that no longer serves or does not release its resources, and on a panic or an internal error
/// in its log.
pub async fn mutated(seed: u64, requests: usize) -> Mutated {
    let server = Box::new(|options: &mut ServerOptions| {
        options.environment.push(("KEYFERRY_LOG".to_owned(), "warn".to_owned()));
        // The default limit of failed verifications would soon reject all requests of the key.
        options.arguments.extend(["--failed-verifications", "1000000"].map(str::to_owned));
    });
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    send(&world, seed.wrapping_add(1_000_000), SETTLED).await;
    serves(&world).await;
    let before = Usage::of(world.server.pid());
    let statuses = send(&world, seed, requests).await;
    serves(&world).await;
    let after = match Usage::returns_to(world.server.pid(), before, ALLOWANCE).await {
        Ok(after) => after,
        Err(after) => fail(format_args!("the server held {before:?} before and holds {after:?}")),
    };
    let logs = world.server.logs();
    if logs.contains("panicked") || logs.contains("a request failed inside") {
        fail(format_args!("the log tells of what should not happen:\n{logs}"));
    }
    Mutated { seed, requests, statuses, before, after }
}

/// Checks that a valid request succeeds.
async fn serves(world: &World) {
    // A mutant may have deleted the account.
    let account = Request::new("POST", "/api/v2/public/linked-account").json(&json!({ "account_id": ACCOUNT }));
    world.send(account).await;
    let answer = world.migrate("hubspot", json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}})).await;
    if answer.status != 200 {
        fail(format_args!("a valid request got {} {}", answer.status, answer.text()));
    }
}

async fn send(world: &World, seed: u64, count: usize) -> BTreeMap<u16, usize> {
    let originals = Arc::new(originals(&world.api_key));
    let clients: Vec<_> = (0_u64..)
        .take(CLIENTS)
        .map(|index| {
            let originals = Arc::clone(&originals);
            tokio::spawn(client(world.server.address(), originals, seed.wrapping_add(index), count / CLIENTS))
        })
        .collect();
    let mut all = BTreeMap::new();
    for client in clients {
        for (status, count) in client.await.or_fail("send mutants") {
            *all.entry(status).or_default() += count;
        }
    }
    all
}

/// Whether the documentation has this status of the server.
fn is_documented(answer: &Response) -> bool {
    let text = answer.text();
    match answer.status {
        500 => {
            text.contains("Failed to verify credentials: ") || text.contains("Schema not found for integration type: ")
        }
        501 => text.contains("Transfer-Encoding"),
        // The status of a credential that failed verification, where the caller asked for problems.
        502 | 504 => answer.header("keyferry-failure").is_some() || text.contains("urn:keyferry:problem:"),
        503 => answer.header("retry-after").is_some() || text.contains("urn:keyferry:problem:app_not_in_service"),
        status => status < 500,
    }
}

/// Sends mutants on one connection after another, and counts the statuses.
async fn client(to: SocketAddr, originals: Arc<Vec<Vec<u8>>>, seed: u64, count: usize) -> BTreeMap<u16, usize> {
    let mut rng = Rng::with_seed(seed);
    let mut statuses = BTreeMap::new();
    let mut wire = Wire::connect(to).await;
    for index in 0..count {
        let mut bytes = rng.choice(originals.iter()).or_fail("there are requests").clone();
        // Half of them only in the body, where there is one: most changes to a head end the request.
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").or_fail("each has a head") + 4;
        let mut body = bytes.split_off(end);
        for _ in 0..rng.usize(1..=2) {
            if rng.bool() && !body.is_empty() { mutate(&mut rng, &mut body) } else { mutate(&mut rng, &mut bytes) }
        }
        bytes.append(&mut body);
        if rng.u8(..4) > 0 {
            fit(&mut bytes);
        }
        let last = format!("end-{seed}-{index}");
        let sentinel = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {last}\r\n\r\n");
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        wire.send([bytes.as_slice(), sentinel.as_bytes()].concat()).await;
        let answers = wire.answers_until(&last, QUIET).await;
        for answer in &answers {
            if !is_documented(answer) {
                fail(format_args!("seed {seed}, request {index}: {} {}\n{shown}", answer.status, answer.text()));
            }
            *statuses.entry(answer.status).or_default() += 1;
        }
        if answers.last().is_none_or(|answer| answer.header("x-request-id") != Some(&last)) {
            *statuses.entry(0).or_default() += 1;
            wire = Wire::connect(to).await;
        }
    }
    statuses
}

impl fmt::Display for Mutated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} requests with seed {}.\n", self.requests, self.seed)?;
        writeln!(f, "| response | how often |\n|---|---|")?;
        for (status, count) in &self.statuses {
            match status {
                0 => writeln!(f, "| none: the connection was closed | {count} |")?,
                status => writeln!(f, "| {status} | {count} |")?,
            }
        }
        let mib = |usage: &Usage| usage.resident / (1024 * 1024);
        writeln!(f, "\nThe server held {} MiB before and {} MiB afterwards.", mib(&self.before), mib(&self.after))
    }
}
