//! Measurements with many stored credentials.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_store::{
    AccountKey, AccountWrite, AuditAction, AuditEvent, Expect, IntegrationRecord, MigrationStore as _, MigrationWrite,
    ObjectId, PutMode, Reauth, RootStore as _, Store as _, Timestamp, VerificationStatus,
};
use keyferry_types::ids::{Environment, OrgId};

use super::options::{GrowthOptions, decades};
use crate::bench_server::{AccessLog, BenchServer, Length};
use crate::cold::{file_mib, resident, restarted};
use crate::figures::{Spread, figure, shown};
use crate::load::Pace;
use crate::plot;
use crate::section::{Goal, Plot, Section};
use crate::table::Table;

const CONNECTIONS: usize = 64;
const ACCOUNTS: usize = 1024;
/// Writes at once while the store is filled, so that they share commits.
const AT_ONCE: usize = 512;
/// Bytes of a sealed Stripe key: what is in them nobody opens here.
const ENVELOPE: usize = 160;

pub(super) async fn credentials(options: &GrowthOptions) -> Result<Section, Box<dyn Error>> {
    let mut site = BenchServer::start(ACCOUNTS, AccessLog::Written, None, |_| ()).await?;
    let mut table = Table::new([
        "credentials stored",
        "made a second, by the library",
        "start after SIGKILL, s",
        "once more, s",
        "requests a second",
        "CPU us a request",
        "resident after the load, MiB",
        "on disk, MiB",
    ]);
    let (mut stored, mut seen) = (0, Vec::new());
    for count in decades(10_000, options.most_credentials) {
        site.world.server.kill();
        let began = Instant::now();
        fill(&site, stored..count).await?;
        let filled = figure(u64::try_from(count - stored)?) / began.elapsed().as_secs_f64();
        stored = count;
        // The first one reads all that was written since the store was opened before; the second one, next to nothing.
        let first_start = restarted(&mut site).await.as_secs_f64();
        let start = restarted(&mut site).await.as_secs_f64();
        let length = Length::of(options.seconds);
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            let run = site
                .measure(site.load(CONNECTIONS, length, Pace::Closed))
                .await?
                .all_good("beside many credentials")?;
            rates.push(run.rate());
            costs.push(run.micros_a_request());
        }
        let rate = Spread::of(rates).ok_or("there were no rounds")?;
        let cost = Spread::of(costs).ok_or("there were no rounds")?;
        let memory = resident(site.world.server.pid());
        println!(
            "{count} credentials: start {} s, {} s, {rate} a second, {} MiB",
            shown(first_start),
            shown(start),
            shown(memory)
        );
        let disk = file_mib(&site.world.data().join("store/db"))?;
        table.row([
            count.to_string(),
            shown(filled),
            shown(first_start),
            shown(start),
            rate.to_string(),
            cost.to_string(),
            shown(memory),
            shown(disk),
        ]);
        seen.push((figure(u64::try_from(count)?), rate.median, start));
    }
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else {
        return Err("no credentials were stored".into());
    };
    Ok(Section {
        text: "What becomes of the whole server when much is stored. Between one row and the next, credentials are put into the \
               store by the library, in one go. The first start so reads all that the store has grown by; the second one is of the \
               same store, with nothing written but by the first. Both follow a SIGKILL and are over when `/readyz` says so, which \
               is asked every 20 ms; rates are those of a closed loop with 64 connections."
            .to_owned(),
        goals: vec![
            Goal::at_least(
                &format!("rate with {} credentials, to that with {}", shown(last.0), shown(first.0)),
                0.8,
                last.1 / first.1,
            ),
            Goal::at_most(&format!("start with {} credentials, s", shown(last.0)), 5.0, last.2),
        ],
        tables: vec![table],
        plots: vec![Plot {
            name: "credentials",
            title: "Requests a second by credentials stored",
            svg: plot::line(
                "credentials",
                "requests a second",
                &[("rate".to_owned(), seen.iter().map(|(count, rate, _)| (*count, *rate)).collect())],
            ),
        }],
    })
}

/// Puts credentials into the store of a server that does not run, each on an account of its own.
async fn fill(site: &BenchServer, numbers: std::ops::Range<usize>) -> Result<(), Box<dyn Error>> {
    let store = Arc::new(SledStore::open(SledSettings::new(site.world.data().join("store"))).await?);
    let org: OrgId = keyferry_tests::ORG.parse()?;
    let roots = store.roots(&org).await?;
    let key_id = roots.last().ok_or("the organisation has no root")?.key_id;
    stream::iter(numbers)
        .map(|number| {
            let (store, org) = (Arc::clone(&store), org.clone());
            async move { put(&store, org, key_id, number).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    store.close().await?;
    Ok(())
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
