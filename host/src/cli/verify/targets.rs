//! The credentials to verify, as the server lists them.

use std::collections::VecDeque;

use futures_util::stream::{self, Stream, StreamExt as _};
use http::Method;

use super::args::Selection;
use crate::cli::api_client::ApiClient;
use crate::cli::error::CliError;
use crate::cli::linked_accounts::{Account, Pages, connected, fetch, segment};

/// The app of the organisation's own credentials. No plugin verifies those.
const CUSTOM: &str = "custom";

/// A credential to verify.
pub(super) struct Target {
    pub(super) account: String,
    pub(super) slug: String,
    pub(super) auth_type: String,
    /// The number of its account in the list, from 1, and of all accounts when the list was begun.
    pub(super) place: u64,
    pub(super) accounts: u64,
}

/// The selected credentials. Of all accounts, one page is in memory at a time.
pub(super) async fn targets<'c>(
    client: &'c ApiClient,
    selection: &Selection,
) -> Result<impl Stream<Item = Result<Target, CliError>> + use<'c>, CliError> {
    let Selection { account, app } = selection;
    if let Some(account) = account {
        let found = of_account(client, account, app.as_deref()).await?;
        return Ok(stream::iter(found.into_iter().map(Ok)).left_stream());
    }
    if let Some(slug) = app {
        // A misspelled slug is an error, not a list of nothing.
        client.json(Method::GET, &format!("/api/v2/public/application/{}", segment(slug))).await?;
    }
    Ok(of_all(client, app.clone()).right_stream())
}

async fn of_account(client: &ApiClient, account: &str, app: Option<&str>) -> Result<Vec<Target>, CliError> {
    let account: Account = serde_json::from_value(fetch(client, account).await?)?;
    let has = connected(&account);
    let found: Vec<_> = of(account, app, (1, 1)).collect();
    match app {
        Some(app) if found.is_empty() => Err(format!("there is no credential for `{app}` to verify: {has}").into()),
        _ => Ok(found),
    }
}

fn of_all(client: &ApiClient, app: Option<String>) -> impl Stream<Item = Result<Target, CliError>> {
    let begin = (Pages::new(client, None), 0_u64, VecDeque::<Target>::new(), app);
    stream::try_unfold(begin, |(mut pages, mut read, mut ready, app)| async move {
        loop {
            if let Some(target) = ready.pop_front() {
                return Ok(Some((target, (pages, read, ready, app))));
            }
            let accounts = pages.next().await?;
            if accounts.is_empty() {
                return Ok(None);
            }
            for account in accounts {
                read += 1;
                let account: Account = serde_json::from_value(account)?;
                ready.extend(of(account, app.as_deref(), (read, pages.total())));
            }
        }
    })
}

/// The credentials of an account that a plugin can verify.
fn of(account: Account, app: Option<&str>, (place, accounts): (u64, u64)) -> impl Iterator<Item = Target> {
    let Account { account_id, integrations, .. } = account;
    let is_meant = move |slug: &str| app.map_or(slug != CUSTOM, |app| slug == app);
    integrations.into_iter().filter(move |found| is_meant(&found.slug)).map(move |found| Target {
        account: account_id.clone(),
        slug: found.slug,
        auth_type: found.auth_type,
        place,
        accounts,
    })
}
