//! Sends the same requests to each server, under one tool after the other.

use std::error::Error;
use std::process::Stdio;

use clap::Args;
use keyferry_tests::cost::{Callgrind, Profile, Strace, SystemCalls};
use keyferry_tests::{binary, plugins};
use serde_json::Value;

use super::counted::Counted;
use super::report::section;
use super::subject::{Running, Subject};
use crate::section::Section;
use crate::usage::Used;

#[derive(Args, Clone)]
pub(crate) struct CountOptions {
    /// Migrations that are counted, one after the other on one connection
    #[arg(long = "count-requests", id = "count_requests", default_value_t = 200)]
    requests: usize,
}

pub(crate) async fn count(options: &CountOptions, quick: bool) -> Result<Section, Box<dyn Error>> {
    let requests = if quick { 20 } else { options.requests.max(1) };
    let (mut counted, mut missing) = (Vec::new(), Vec::new());
    for subject in Subject::ALL {
        let mut said = |why: String| {
            println!("{why}");
            if !missing.contains(&why) {
                missing.push(why);
            }
        };
        let profile = match Callgrind::new() {
            Ok(callgrind) => Some(under_callgrind(subject, &callgrind, requests).await?),
            Err(why) => {
                said(why);
                None
            }
        };
        let (calls, bytes_handed) = match Strace::new() {
            Ok(strace) => {
                under_strace(subject, &strace, requests).await.map(|(calls, bytes)| (Some(calls), Some(bytes)))?
            }
            Err(why) => {
                said(why);
                (None, None)
            }
        };
        let used = without_a_tool(subject, requests).await?;
        println!("{}: counted", subject.title());
        counted.push(Counted { subject, requests, profile, calls, bytes_handed, used });
    }
    section(&counted, fuel()?, &missing)
}

async fn under_callgrind(subject: Subject, callgrind: &Callgrind, requests: usize) -> Result<Profile, Box<dyn Error>> {
    let running = subject.start(callgrind.under()).await?;
    let mut migrations = running.migrations().await;
    callgrind.begin(running.pid());
    migrations.send(requests).await;
    Ok(callgrind.end(running.pid()))
}

async fn under_strace(
    subject: Subject,
    strace: &Strace,
    requests: usize,
) -> Result<(SystemCalls, u64), Box<dyn Error>> {
    let running = subject.start(strace.under()).await?;
    let mut migrations = running.migrations().await;
    let began = strace.begin();
    migrations.send(requests).await;
    let calls = strace.end(began);
    let bytes = calls.written_below(&running.data());
    Ok((calls, bytes))
}

async fn without_a_tool(subject: Subject, requests: usize) -> Result<Used, Box<dyn Error>> {
    let running: Running = subject.start(Vec::new()).await?;
    let mut migrations = running.migrations().await;
    let before = Used::by(running.pid())?;
    migrations.send(requests).await;
    Ok(Used::by(running.pid())?.since(before))
}

/// The most fuel of a call of the plugin for Stripe in its cases: instructions of the guest, as wasmtime counts them.
fn fuel() -> Result<u64, Box<dyn Error>> {
    let mut command = binary::command(binary::keyferry());
    command.args(["plugin", "test"]).arg(binary::plugins().join("stripe.wasm"));
    command.arg("--cases").arg(plugins::shipped("stripe").join("cases")).args(["--format", "json"]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let fuel = report.pointer("/suites/0/budget/fuel/0").and_then(Value::as_u64);
    Ok(fuel.ok_or("`keyferry plugin test` printed no fuel")?)
}
