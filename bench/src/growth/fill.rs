//! Puts credentials into a store from a separate process, which is killed when the last one is durable: the next start
//! finds the data of a server that was killed.

use std::error::Error;
use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_store::{
    AccountKey, AccountWrite, AuditAction, AuditEvent, Expect, IntegrationRecord, MigrationStore as _, MigrationWrite,
    ObjectId, PutMode, Reauth, RootStore as _, Timestamp, VerificationStatus,
};
use keyferry_types::ids::{Environment, OrgId};
use serde::{Deserialize, Serialize};

use crate::server_process::{settings_of_this_process, started, this_program};

/// Concurrent writes, so that they share commits.
const AT_ONCE: usize = 512;
/// Bytes of a sealed Stripe key: the content is arbitrary, since nothing decrypts it.
const ENVELOPE: usize = 160;
/// The line that the process prints at its end.
const DONE: &str = "done";

/// The settings of the process, sent to its standard input.
#[derive(Serialize, Deserialize)]
struct Settings {
    store: PathBuf,
    numbers: Range<usize>,
}

/// Puts credentials into the store of a stopped server, each on an account of its own.
pub(super) fn fill(store: PathBuf, numbers: Range<usize>) -> Result<(), Box<dyn Error>> {
    let (mut child, said) = started(this_program(&[], &["fill"])?, &Settings { store, numbers })?;
    child.kill()?;
    child.wait()?;
    if said != DONE {
        return Err("the credentials were not stored".into());
    }
    Ok(())
}

/// The process: when it is done, it waits to be killed.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let Settings { store, numbers } = settings_of_this_process()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Arc::new(SledStore::open(SledSettings::new(store)).await?);
        put_all(&store, numbers).await?;
        println!("{DONE}");
        std::io::stdout().flush()?;
        std::future::pending().await
    })
}

async fn put_all(store: &Arc<SledStore>, numbers: Range<usize>) -> Result<(), Box<dyn Error>> {
    let org: OrgId = keyferry_tests::ORG.parse()?;
    let roots = store.roots(&org).await?;
    let key_id = roots.last().ok_or("the organisation has no root")?.key_id;
    stream::iter(numbers)
        .map(|number| {
            let (store, org) = (Arc::clone(store), org.clone());
            async move { put(&store, org, key_id, number).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
}

async fn put(store: &SledStore, org: OrgId, key_id: u32, number: usize) -> Result<(), Box<dyn Error>> {
    let now = Timestamp::now();
    let key = AccountKey { org, environment: Environment::Test, account: format!("stored_{number}").parse()? };
    let audit = |action| AuditEvent::new(action, "bench", "created verified").on_account(&key).at(now);
    let record = IntegrationRecord {
        id: ObjectId::generate(),
        org: key.org.clone(),
        environment: key.environment,
        account: key.account.clone(),
        slug: "stripe".parse()?,
        auth_type: "keybased".parse()?,
        version: 1,
        key_id,
        envelope: (0..ENVELOPE)
            .map(|place| u8::try_from((place * 31 + number * 7) % 251).unwrap_or_default())
            .collect(),
        standing: VerificationStatus::Verified,
        provider_account_id: Some(format!("acct_{number}")),
        display_name: Some("Keyferry Demo".to_owned()),
        scopes: Vec::new(),
        expires_at: None,
        warnings: Vec::new(),
        config: [("mode".to_owned(), "test".to_owned())].into(),
        reauth: Reauth::NotRequired,
        created_at: now,
        updated_at: now,
        verified_at: Some(now),
        check: None,
        renewals: std::collections::BTreeMap::new(),
    };
    let migration = MigrationWrite {
        audit: audit(AuditAction::CredentialMigrated).on_integration(&record.key()),
        record,
        expect: Expect::Absent,
        idempotency: None,
        row: None,
    };
    let account = AccountWrite {
        mode: PutMode::Create,
        audit: audit(AuditAction::AccountPut),
        id: ObjectId::generate(),
        name: None,
        udf: Vec::new(),
        key,
    };
    store.put_account_with(account, migration).await?;
    Ok(())
}
