//! `keyferry key rewrap`: replaces the key-encryption key.
//!
//! Both keys are used by this process alone. A running server keeps its own key; it only reads out stored roots and stores
//! their new forms.

use clap::Args;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use serde_json::json;

use super::config::{DataFolder, FolderArgs, NewKekArgs};
use super::error::CliError;
use super::operator::{Needs, perform};
use super::term;
use keyferry_api::admin::{AdminError, Form, ListRoots, NewForms, RewrapRoots, StoredRoot};
use keyferry_service::rewrap::{only_form_by, with_form_by};
use keyferry_store::Wrapping;
use keyferry_types::ids::OrgId;
use keyferry_vault::{CreateKey, KeyEncryptionKey, KeyId};

/// Roots that are worked on at the same time.
const AT_ONCE: usize = 8;
/// Roots that one request stores.
const BATCH: usize = 16;

#[derive(Args)]
pub(super) struct RewrapArgs {
    /// The organisation.
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    org: Option<OrgId>,
    /// The root keys of all organisations.
    #[arg(long)]
    all: bool,
    /// Delete every wrapped form except the one by the present key.
    #[arg(long)]
    finish: bool,
    /// Do not ask. Without a terminal, nothing is asked.
    #[arg(long)]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    new: NewKekArgs,
    #[command(flatten)]
    folders: FolderArgs,
}

impl RewrapArgs {
    fn concerns(&self, root: &StoredRoot) -> bool {
        self.org.as_ref().is_none_or(|org| *org == root.org)
    }
}

pub(super) async fn run(args: RewrapArgs) -> Result<(), CliError> {
    let present = args.folders.clone().resolve_in(DataFolder::existing)?.key.load(CreateKey::Refused).await?;
    match args.finish {
        true if args.new.is_given() => Err("--finish keeps the present key, and a new one is named: choose one".into()),
        true => finish(args, &present).await,
        false => rewrap(args, &present).await,
    }
}

/// Adds a form by the new key to each root that has none.
async fn rewrap(mut args: RewrapArgs, present: &KeyEncryptionKey) -> Result<(), CliError> {
    let (provider, settings) = std::mem::take(&mut args.new).provider(&args.folders.key)?;
    let new = provider.load(CreateKey::Allowed).await?;
    let (from, to) = (present.id().await?, new.id().await?);
    if from == to {
        return Err(format!("{to} is the present key").into());
    }
    let mut rewrapped = 0;
    loop {
        let roots = roots(&args).await?;
        let missing: Vec<_> = roots.into_iter().filter(|root| args.concerns(root) && !has(root, &to)).collect();
        if missing.is_empty() {
            break;
        }
        // The next round finds roots that are created, and forms that change, during this one.
        rewrapped += each(&args, missing, |org, key_id, forms| {
            let (present, new) = (present, &new);
            async move { Ok(with_form_by(present, new, &org, key_id, &forms).await?) }
        })
        .await?;
    }
    let (with, without): (Vec<_>, Vec<_>) = roots(&args).await?.into_iter().partition(|root| has(root, &to));
    if args.json {
        let (wrapped, not_wrapped) = (with.len(), without.len());
        term::print_json(
            &json!({ "key": to, "rewrapped": rewrapped, "wrapped": wrapped, "not_wrapped": not_wrapped }),
        )?;
    } else {
        term::print(&format!(
            "{rewrapped} root keys were wrapped by {to} as well; of {} it wraps {}",
            with.len() + without.len(),
            with.len()
        ));
    }
    if without.is_empty() {
        term::progress(&format!(
            "Either key opens everything. Now start the server with {settings}, and once it serves, forget the other key:\n\
             keyferry key rewrap --all --finish {settings}"
        ));
    } else {
        term::progress(&format!(
            "{} root keys of other organisations are not: keep the present key ({from}) on the server",
            without.len()
        ));
    }
    Ok(())
}

/// Forgets every form but the one by the present key, which has to open it.
async fn finish(args: RewrapArgs, present: &KeyEncryptionKey) -> Result<(), CliError> {
    let id = present.id().await?;
    let roots: Vec<_> = roots(&args).await?.into_iter().filter(|root| args.concerns(root)).collect();
    // Before anything is forgotten.
    if let Some(StoredRoot { org, key_id, .. }) = roots.iter().find(|root| !has(root, &id)) {
        return Err(format!(
            "root {key_id} of organisation {org} is not wrapped by {id}, the key that is configured: nothing was forgotten. \
             Run `keyferry key rewrap` with the former key configured first"
        )
        .into());
    }
    let several: Vec<_> = roots.into_iter().filter(|root| root.forms.len() > 1).collect();
    if !several.is_empty() && !args.yes {
        let question = format!(
            "Forget every wrapped form of {} root keys but the one by {id}? Backups from before need the former key.",
            several.len()
        );
        if term::ask(&question) == Some(false) {
            return Err("nothing was forgotten".into());
        }
    }
    let done =
        each(
            &args,
            several,
            |org, key_id, forms| async move { Ok(only_form_by(present, &org, key_id, &forms).await?) },
        )
        .await?;
    if args.json {
        term::print_json(&json!({ "key": id, "finished": done }))?;
    } else {
        term::print(&format!(
            "{done} root keys are wrapped by {id} alone now; backups from before need the former key"
        ));
    }
    Ok(())
}

async fn roots(args: &RewrapArgs) -> Result<Vec<StoredRoot>, CliError> {
    let roots = perform(args.folders.clone(), Needs::StoreAndVault, ListRoots {}).await?;
    match &args.org {
        Some(org) if !roots.iter().any(|root| root.org == *org) => {
            Err(AdminError::NoSuchOrganisation { org: org.clone() }.into())
        }
        _ => Ok(roots),
    }
}

fn has(root: &StoredRoot, by: &str) -> bool {
    root.forms.iter().any(|form| form.by == by)
}

/// Makes new forms of roots and stores them: how many were stored.
async fn each<F>(
    args: &RewrapArgs,
    roots: Vec<StoredRoot>,
    make: impl Fn(OrgId, KeyId, Vec<Wrapping>) -> F,
) -> Result<u64, CliError>
where
    F: Future<Output = Result<Vec<Wrapping>, CliError>>,
{
    let bar = ProgressBar::new(roots.len() as u64);
    let one = async |StoredRoot { org, key_id, forms: from, .. }: StoredRoot| {
        let forms = from.iter().cloned().map(Wrapping::try_from).collect::<Result<Vec<_>, _>>()?;
        let made = make(org.clone(), KeyId::new(key_id), forms).await?;
        bar.inc(1);
        Ok::<_, CliError>(NewForms { org, key_id, from, to: made.into_iter().map(Form::from).collect() })
    };
    let mut made = stream::iter(roots).map(one).buffer_unordered(AT_ONCE).try_chunks(BATCH);
    let mut stored = 0;
    while let Some(batch) = made.next().await {
        // What was made before something failed is worth keeping; the next run begins with the rest.
        let (roots, failed) = match batch {
            Ok(roots) => (roots, None),
            Err(stream::TryChunksError(roots, error)) => (roots, Some(error)),
        };
        if !roots.is_empty() {
            stored += perform(args.folders.clone(), Needs::StoreAndVault, RewrapRoots { roots }).await?.stored;
        }
        if let Some(error) = failed {
            bar.finish_and_clear();
            return Err(format!("{stored} root keys are done; run the same command again for the rest: {error}").into());
        }
    }
    bar.finish_and_clear();
    Ok(stored)
}
