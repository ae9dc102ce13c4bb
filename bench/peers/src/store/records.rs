//! The records of one migration: as arguments of Keyferry's store, and as rows of the same bytes for the others.

use std::collections::BTreeMap;

use keyferry_store::{
    AccountKey, AccountWrite, ApiKeyRecord, AuditAction, AuditEvent, Expect, IntegrationRecord, MigrationWrite,
    NewApiKey, ObjectId, PutMode, Reauth, RootRecord, Scope, Timestamp, VerificationStatus,
};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};
use serde::Serialize;

use crate::outcome::{Outcome, Tried as _};

/// Linked accounts that exist before the measurement.
pub(super) const ACCOUNTS: u64 = 10_000;
/// Bytes of a sealed credential with five fields.
const ENVELOPE: usize = 300;
/// The first byte of Keyferry's records.
const FORM: u8 = 1;

/// Creates the writes of one organisation.
#[derive(Clone)]
pub(super) struct Records {
    org: OrgId,
}

/// The rows of one migration, in Keyferry's layout.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) integration: (Vec<u8>, Vec<u8>),
    pub(super) audit: (Vec<u8>, Vec<u8>),
    /// The end of the audit chain: one row that each migration rewrites.
    pub(super) head: (Vec<u8>, Vec<u8>),
}

#[derive(Serialize)]
struct AuditRow {
    #[serde(with = "serde_bytes")]
    prev_hash: [u8; 32],
    #[serde(with = "serde_bytes")]
    hash: [u8; 32],
    #[serde(with = "serde_bytes")]
    event: Vec<u8>,
}

#[derive(Serialize)]
struct HeadRow {
    seq: u64,
    #[serde(with = "serde_bytes")]
    hash: [u8; 32],
}

impl Records {
    pub(super) fn new() -> Outcome<Self> {
        Ok(Self { org: "acme".parse().tried("name the organisation")? })
    }

    /// An API key with the organisation's first root.
    pub(super) fn api_key(&self) -> NewApiKey {
        let record = ApiKeyRecord {
            hash: [7; 32],
            org: self.org.clone(),
            environment: Environment::Production,
            label: "bench".to_owned(),
            scopes: vec![Scope::Migrate],
            shown: "tk_bench".to_owned(),
            created_at: Timestamp::now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let root = RootRecord {
            key_id: 1,
            kek_id: "0011223344556677".to_owned(),
            wrapped: vec![7; 62],
            also: Vec::new(),
            created_at: Timestamp::now(),
            disabled_at: None,
        };
        NewApiKey { record, root: Some(root), audit: self.event(AuditAction::ApiKeyCreated, None, 0) }
    }

    /// The id of one of the accounts.
    pub(super) fn account(&self, number: u64) -> Outcome<AccountWrite> {
        let key =
            AccountKey { org: self.org.clone(), environment: Environment::Production, account: account_id(number)? };
        let audit = self.event(AuditAction::AccountPut, Some(&key.account), number);
        let name = Some(format!("Customer {number}"));
        Ok(AccountWrite { mode: PutMode::Create, key, id: ObjectId::generate(), name, udf: Vec::new(), audit })
    }

    /// The migration of this number: a new integration at one of the accounts, in a scattered order.
    pub(super) fn migration(&self, number: u64) -> Outcome<MigrationWrite> {
        // An odd factor that is no multiple of 5 visits all accounts, far apart from one to the next.
        let account = account_id(number.wrapping_mul(7_919) % ACCOUNTS)?;
        let now = Timestamp::now();
        let record = IntegrationRecord {
            id: ObjectId::generate(),
            org: self.org.clone(),
            environment: Environment::Production,
            account: account.clone(),
            slug: format!("app-{}", number / ACCOUNTS).parse().tried("name an app")?,
            auth_type: "oauth2".parse().tried("name an auth type")?,
            version: 1,
            key_id: 1,
            envelope: vec![u8::try_from(number % 251).unwrap_or_default(); ENVELOPE],
            standing: VerificationStatus::Verified,
            provider_account_id: Some(format!("portal-{number}")),
            display_name: None,
            scopes: vec!["crm.read".to_owned()],
            expires_at: None,
            warnings: Vec::new(),
            config: BTreeMap::new(),
            reauth: Reauth::NotRequired,
            created_at: now,
            updated_at: now,
            verified_at: Some(now),
            check: None,
        };
        let audit = self.event(AuditAction::CredentialMigrated, Some(&account), number);
        Ok(MigrationWrite { record, expect: Expect::Absent, audit, idempotency: None, row: None })
    }

    /// The same as rows. The hashes of the chain are dummies of the right length.
    pub(super) fn rows(&self, number: u64) -> Outcome<Rows> {
        let MigrationWrite { record, audit, .. } = self.migration(number)?;
        let key =
            joined(&[self.org.as_str(), record.environment.as_str(), record.account.as_str(), record.slug.as_str()]);
        let integration = encoded(&record)?;
        let hash = [u8::try_from(number % 251).unwrap_or_default(); 32];
        let audit = encoded(&AuditRow { prev_hash: hash, hash, event: encoded(&audit)? })?;
        let audit_key = [joined(&[self.org.as_str()]), number.to_be_bytes().to_vec()].concat();
        let head = encoded(&HeadRow { seq: number, hash })?;
        Ok(Rows {
            integration: (key, integration),
            audit: (audit_key, audit),
            head: (joined(&[self.org.as_str()]), head),
        })
    }

    fn event(&self, action: AuditAction, account: Option<&LinkedAccountId>, number: u64) -> AuditEvent {
        let event = AuditEvent::new(action, "tk_bench", "verified")
            .in_environment(Environment::Production)
            .for_request(&format!("{number:032x}"));
        AuditEvent { account: account.cloned(), ..event }
    }
}

fn account_id(number: u64) -> Outcome<LinkedAccountId> {
    format!("customer-{number:08}").parse().tried("name an account")
}

/// Components of a key, each after its length.
fn joined(components: &[&str]) -> Vec<u8> {
    let parts = components.iter().map(|part| [&(part.len() as u64).to_be_bytes(), part.as_bytes()].concat());
    parts.collect::<Vec<_>>().concat()
}

fn encoded<T: Serialize>(record: &T) -> Outcome<Vec<u8>> {
    let mut bytes = vec![FORM];
    rmp_serde::encode::write_named(&mut bytes, record).tried("encode a record")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_migrations_write_the_same_row() {
        let records = Records::new().unwrap();
        let numbers = [0, 1, 2, ACCOUNTS - 1, ACCOUNTS, ACCOUNTS + 1, 5 * ACCOUNTS];
        let rows: Vec<Rows> = numbers.iter().map(|number| records.rows(*number).unwrap()).collect();
        let keys: HashSet<_> = rows.iter().map(|rows| rows.integration.0.clone()).collect();
        assert_eq!(keys.len(), numbers.len());
        assert!(rows.iter().all(|row| row.head.0 == rows[0].head.0), "the chain has one end");
        let size = |(key, value): &(Vec<u8>, Vec<u8>)| key.len() + value.len();
        assert!((500..900).contains(&size(&rows[0].integration)), "{}", size(&rows[0].integration));
        assert!((200..500).contains(&size(&rows[0].audit)), "{}", size(&rows[0].audit));
    }

    #[test]
    fn every_account_is_visited() {
        let visited: HashSet<_> = (0..ACCOUNTS).map(|number| number.wrapping_mul(7_919) % ACCOUNTS).collect();
        assert_eq!(visited.len() as u64, ACCOUNTS);
    }
}
