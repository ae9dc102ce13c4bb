//! Requests that write, and the state that their responses promise.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::ledger::{Account, Keyed, State};
use crate::http::{Request, Response};
use crate::or_fail::fail;

const ACCOUNTS: &str = "/api/v2/public/linked-account";

/// Works on its own accounts until the server has ended.
pub(super) struct Worker {
    pub(super) address: SocketAddr,
    pub(super) api_key: String,
    pub(super) accounts: Vec<Account>,
    pub(super) random: fastrand::Rng,
    /// Acknowledged writes.
    pub(super) acknowledged: u64,
    /// What it does where the store cannot be used.
    pub(super) unavailable: Unavailable,
    /// Set when it is to end, although the server goes on.
    pub(super) ends: Arc<AtomicBool>,
}

/// What a worker does with a response that says that the store cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unavailable {
    /// The run fails.
    IsWrong,
    /// The write may have taken place or not, as without a response.
    IsNoResponse,
}

impl Worker {
    /// Returns when the connection ends.
    pub(super) async fn run(mut self) -> Self {
        while !self.ends.load(Ordering::SeqCst) && self.step().await.is_some() {}
        self
    }

    /// Sends one request. `None` where there is no response.
    async fn step(&mut self) -> Option<()> {
        let chosen = self.random.usize(..self.accounts.len());
        let mut account = self.accounts.swap_remove(chosen);
        let done = self.write(&mut account).await;
        self.accounts.push(account);
        self.acknowledged += u64::from(done.is_some());
        done
    }

    async fn write(&mut self, account: &mut Account) -> Option<()> {
        let choice = self.random.u8(..100);
        let (request, goal) = match (&account.acknowledged, choice) {
            (State::Missing, _) => {
                (Request::new("POST", ACCOUNTS).json(&json!({ "account_id": account.id })), State::Bare)
            }
            (State::Connected { .. }, ..12) => {
                let path = format!("{ACCOUNTS}/integration/stripe?linked_account_id={}", account.id);
                (Request::new("DELETE", &path), State::Bare)
            }
            (_, 12..18) => (Request::new("DELETE", &format!("{ACCOUNTS}/{}", account.id)), State::Missing),
            _ => return self.migrate(account).await,
        };
        account.keyed = None;
        account.pending = Some(goal.clone());
        let answer = self.send(request).await?;
        if answer.status != 200 {
            fail(format_args!("{}: {goal} got {} {}", account.id, answer.status, answer.text()));
        }
        (account.acknowledged, account.version, account.pending) = (goal, 0, None);
        Some(())
    }

    async fn migrate(&mut self, account: &mut Account) -> Option<()> {
        let secret = format!("sk_test_{:032x}", self.random.u128(..));
        let keyed = self.random.bool().then(|| format!("{:032x}", self.random.u128(..)));
        account.keyed = keyed.clone().map(|key| Keyed { key, secret: secret.clone(), revision: None });
        account.pending = Some(State::Connected { secret: secret.clone() });
        let answer = self.send(migration(&account.id, &secret, keyed.as_deref())).await?;
        let revision = promised(&account.id, &answer);
        account.version = version(&revision);
        if let Some(keyed) = &mut account.keyed {
            keyed.revision = Some(revision);
        }
        (account.acknowledged, account.pending) = (State::Connected { secret }, None);
        Some(())
    }

    async fn send(&self, request: Request) -> Option<Response> {
        let response = request.header("x-api-key", &self.api_key).try_send(self.address).await.ok()?;
        (response.status != 503 || self.unavailable == Unavailable::IsWrong).then_some(response)
    }
}

/// Repeats the migrations that had an idempotency key, as a caller does that got no response. Each must get the
/// response of the first request, and one that got no response must now be done, once.
pub(super) async fn repeat(address: SocketAddr, api_key: &str, ledger: &mut [Account]) -> u64 {
    let mut replayed = 0;
    for account in ledger {
        let Some(keyed) = account.keyed.clone() else { continue };
        // Deleting the account also deleted the result of the key.
        if account.acknowledged == State::Missing {
            continue;
        }
        let request = migration(&account.id, &keyed.secret, Some(&keyed.key)).header("x-api-key", api_key);
        let Ok(answer) = request.try_send(address).await else {
            fail("no response from a server that was just started")
        };
        let revision = promised(&account.id, &answer);
        let was_replayed = answer.header("idempotency-replayed") == Some("true");
        match &keyed.revision {
            Some(first) if *first != revision || !was_replayed => {
                fail(format_args!("{}: the first response has {first}, that to the repetition {revision}", account.id));
            }
            _ => replayed += u64::from(was_replayed),
        }
        account.version = version(&revision);
        account.acknowledged = State::Connected { secret: keyed.secret.clone() };
        account.keyed = Some(Keyed { revision: Some(revision), ..keyed });
    }
    replayed
}

fn migration(account: &str, secret: &str, key: Option<&str>) -> Request {
    let body = json!({ "slug": "stripe", "auth_object": { "keybased": { "api_key": secret } } });
    let request = Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", account).json(&body);
    match key {
        Some(key) => request.header("idempotency-key", &format!("\"{key}\"")),
        None => request,
    }
}

/// The revision in a response: `id-version`.
fn promised(account: &str, answer: &Response) -> String {
    match answer.header("etag") {
        Some(revision) if answer.status == 200 => revision.trim_matches('"').to_owned(),
        _ => fail(format_args!("{account}: a migration got {} {}", answer.status, answer.text())),
    }
}

fn version(revision: &str) -> u64 {
    revision.rsplit('-').next().and_then(|version| version.parse().ok()).unwrap_or_default()
}
