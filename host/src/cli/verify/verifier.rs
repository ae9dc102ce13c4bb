//! Verifying one credential through the server.

use std::time::Duration;

use http::{Method, StatusCode};

use super::progress::Progress;
use super::targets::Target;
use super::verification::{Checked, Verification};
use super::waits::{Asker, Waits};
use crate::cli::api_client::{ApiClient, ApiError};
use crate::cli::error::CliError;
use crate::cli::linked_accounts::integration_path;
use crate::cli::retry::RetryBudget;

/// How often a credential is verified again because its provider accepts no more requests, and the longest wait for it.
const REPEATS: u32 = 2;
const MAX_WAIT: Duration = Duration::from_secs(60);

pub(super) struct Verifier<'c> {
    client: &'c ApiClient,
    progress: &'c Progress,
    waits: Waits,
}

impl<'c> Verifier<'c> {
    pub(super) fn new(client: &'c ApiClient, progress: &'c Progress) -> Self {
        Self { client, progress, waits: Waits::default() }
    }

    /// Has the server verify a credential. `None` if it was deleted since it was listed.
    ///
    /// # Errors
    /// Where verifying another credential would fail as well: the server is gone, or refuses the API key.
    pub(super) async fn verify(&self, target: Target) -> Result<Option<Verification>, CliError> {
        let path = integration_path(&target.account, &target.slug, "verify");
        let (mut budget, mut repeats) = (RetryBudget::new(), 0);
        loop {
            self.waits.over(&target.slug).await;
            let response = self.client.send_once(Method::POST, &path, None).await?;
            let status = response.status();
            if let Some(wait) = budget.next(status, response.headers()) {
                self.wait(Asker::Server, wait, &format!("the server is busy ({status})")).await;
                continue;
            }
            let error = match response.json().await {
                Ok(found) => {
                    let checked: Checked = serde_json::from_value(found)?;
                    match checked.verdict.retry_after {
                        Some(seconds) if repeats < REPEATS => {
                            let (slug, wait) = (target.slug.clone(), Duration::from_secs(u64::from(seconds)));
                            let why = format!("{slug} accepts no more requests now");
                            self.wait(Asker::Provider { slug }, wait.min(MAX_WAIT), &why).await;
                            repeats += 1;
                            continue;
                        }
                        _ => return Ok(Some(Verification::with_verdict(target, checked))),
                    }
                }
                Err(error) => error,
            };
            let refusal: &ApiError = match error.downcast_ref() {
                Some(refusal) => refusal,
                None => return Err(error),
            };
            return match (refusal.status(), refusal.code()) {
                (_, "unknown_linked_account" | "no_such_integration") => Ok(None),
                (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, _) => Err(error),
                _ => Ok(Some(Verification::without_verdict(target, refusal))),
            };
        }
    }

    /// Has all verifications wait. The first that asks says why.
    async fn wait(&self, asker: Asker, wait: Duration, why: &str) {
        if self.waits.add(asker, wait).await {
            self.progress.note(&format!("{why}: trying again in {} s", wait.as_secs_f64().ceil()));
        }
    }
}
