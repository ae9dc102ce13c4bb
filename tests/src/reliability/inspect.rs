//! Checks the data on disk with the store's own library, without a server.

use std::path::Path;

use keyferry_service::seal_context;
use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_store::{AccountKey, AccountView, ListAccounts, Store};
use keyferry_types::ids::{Environment, OrgId};
use keyferry_vault::{CreateKey, Envelope, KeyId, KeyProvider, Vault, WrappedRoot};

use super::figures::Figures;
use super::ledger::{Account, Settled, State};
use crate::or_fail::{OrFail as _, fail};
use crate::world::ORG;

/// Compares the whole content of a data folder with the ledger.
pub(super) async fn settle(data: &Path, ledger: &mut [Account], figures: &mut Figures) {
    let store = SledStore::open(SledSettings::new(data.join("store"))).await.or_fail("open the store after a crash");
    settle_in(&store, &data.join("keyferry.key"), ledger, figures).await;
    store.close().await.or_fail("close the store");
}

/// Compares the whole content of a store with the ledger.
pub(super) async fn settle_in(store: &dyn Store, key: &Path, ledger: &mut [Account], figures: &mut Figures) {
    let key = KeyProvider::File(key.to_owned());
    let vault = Vault::new(key.load(CreateKey::Refused).await.or_fail("load the key"));
    let org: OrgId = ORG.parse().or_fail("the organisation's name");
    for root in store.roots(&org).await.or_fail("read the roots") {
        let root = WrappedRoot { key_id: KeyId::new(root.key_id), kek_id: root.kek_id, wrapped: root.wrapped };
        vault.unlock_root(&org, &root).await.or_fail("unwrap a root");
    }
    let mut there = 0;
    for account in &mut *ledger {
        let id = account.id.parse().or_fail("an account's id");
        let key = AccountKey { org: org.clone(), environment: Environment::Test, account: id };
        let view = store.account(&key).await.or_fail("read an account");
        there += usize::from(view.is_some());
        let was_pending = account.pending.is_some();
        let (found, version) = state(&vault, view, figures);
        match account.settle(found, version) {
            Settled::AsPending => figures.done_unanswered += 1,
            Settled::AsAcknowledged => figures.not_done += u64::from(was_pending),
        }
    }
    // The store must not have records that no request created.
    let all = ListAccounts { page: 1, limit: 1, search: None, after: None };
    let total = store.accounts(&org, Environment::Test, all).await.or_fail("list the accounts").total;
    if total != there {
        fail(format_args!("{total} accounts are listed, and {there} are known"));
    }
    let audit = store.verify_audit(&org).await.or_fail("walk the audit chain");
    if audit.entries < figures.acknowledged {
        fail(format_args!("{} audit entries for {} acknowledged writes", audit.entries, figures.acknowledged));
    }
    figures.audit_entries = audit.entries;
}

fn state(vault: &Vault, view: Option<AccountView>, figures: &mut Figures) -> (State, u64) {
    let Some(view) = view else { return (State::Missing, 0) };
    let [record] = view.integrations.as_slice() else {
        if !view.integrations.is_empty() {
            fail(format_args!("{} integrations of one app", view.integrations.len()));
        }
        return (State::Bare, 0);
    };
    let context = seal_context(&record.key(), &record.auth_type, record.version);
    let envelope = Envelope::from_bytes(record.envelope.clone()).or_fail("read an envelope");
    let fields = vault.open(&context, &envelope).or_fail("open an envelope");
    figures.opened += 1;
    match fields.as_slice() {
        [(name, value)] if name.as_str() == "api_key" => {
            (State::Connected { secret: value.expose().to_owned() }, record.version)
        }
        other => fail(format_args!("{} fields instead of one", other.len())),
    }
}
