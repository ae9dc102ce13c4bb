//! Operations on an organisation's root keys.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::AdminError;
use crate::admin::operations::{Operation, Route};
use crate::admin::operator::Operator;
use crate::admin::organisations::store_with;
use keyferry_service::keys;
use keyferry_store::{AccountKey, IntegrationKey, RootChange, RootRecord, Store};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId, Slug};
use keyferry_vault::{KeyId, Vault};

/// Credentials that one request reseals at most.
const STEP: usize = 512;

/// Lists an organisation's roots.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListKeys {
    /// The organisation.
    pub org: OrgId,
}

/// Makes a further root, which seals from then on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// The organisation.
    pub org: OrgId,
}

/// Seals some credentials under the root that seals now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResealCredentials {
    /// The organisation.
    pub org: OrgId,
    /// The credential after which to continue; `None` for the first step.
    #[serde(default)]
    pub after: Option<Place>,
}

/// Takes a root out of use.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisableKey {
    /// The organisation.
    pub org: OrgId,
    /// The root's key id.
    pub key_id: u32,
}

/// Removes a root that is out of use, for good.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DestroyKey {
    /// The organisation.
    pub org: OrgId,
    /// The root's key id.
    pub key_id: u32,
}

/// A root key's metadata, without the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShownKey {
    /// The root's key id.
    pub key_id: u32,
    /// The key-encryption key that it is wrapped by.
    pub wrapped_by: String,
    /// Those that it is wrapped by as well, while one takes the place of another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_wrapped_by: Vec<String>,
    /// What it is used for.
    pub state: KeyState,
    /// How many credentials are sealed under it.
    pub credentials: u64,
    /// The time of creation.
    pub created_at: String,
    /// The time at which the root was disabled; absent while it is in use.
    pub disabled_at: Option<String>,
}

/// What a root is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// To seal, and to open.
    Seals,
    /// To open what was sealed under it.
    Opens,
    /// Disabled: neither seals nor opens.
    Disabled,
}

/// Where a walk over the credentials is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    environment: Environment,
    account: LinkedAccountId,
    slug: Slug,
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResealStep {
    /// The number of credentials that were resealed under the newest root.
    pub resealed: u64,
    /// The number of credentials that were sealed under the newest root already.
    pub left: u64,
    /// Where to continue; `None` at the end.
    pub next: Option<Place>,
}

/// The store and the vault, if the organisation exists.
async fn parts<'a>(operator: &'a Operator, org: &OrgId) -> Result<(&'a Arc<dyn Store>, &'a Arc<Vault>), AdminError> {
    let store = store_with(operator, org).await?;
    Ok((store, operator.vault.as_ref().ok_or(AdminError::Missing("the keys"))?))
}

fn shown(root: &RootRecord, seals: bool, credentials: u64) -> ShownKey {
    ShownKey {
        key_id: root.key_id,
        wrapped_by: root.kek_id.clone(),
        also_wrapped_by: root.also.iter().map(|form| form.kek_id.clone()).collect(),
        state: match root.disabled_at {
            Some(_) => KeyState::Disabled,
            None if seals => KeyState::Seals,
            None => KeyState::Opens,
        },
        credentials,
        created_at: root.created_at.to_string(),
        disabled_at: root.disabled_at.map(|at| at.to_string()),
    }
}

impl Operation for ListKeys {
    type Done = Vec<ShownKey>;
    const ROUTE: Route = Route::read("/admin/v1/organisations/{org}/keys", "listKeys");

    async fn perform(&self, operator: &Operator) -> Result<Vec<ShownKey>, AdminError> {
        let (store, _) = parts(operator, &self.org).await?;
        let roots = store.roots(&self.org).await?;
        let sealed = store.sealed_under(&self.org).await?;
        let highest = roots.last().map(|root| root.key_id);
        let count = |root: &RootRecord| sealed.get(&root.key_id).copied().unwrap_or_default();
        Ok(roots.iter().map(|root| shown(root, highest == Some(root.key_id), count(root))).collect())
    }
}

impl Operation for RotateKey {
    type Done = ShownKey;
    const ROUTE: Route = Route::change("/admin/v1/organisations/{org}/keys/rotate", "rotateKey");

    async fn perform(&self, operator: &Operator) -> Result<ShownKey, AdminError> {
        let (store, vault) = parts(operator, &self.org).await?;
        Ok(shown(&keys::rotate(store.as_ref(), vault, &self.org).await?, true, 0))
    }
}

impl Operation for ResealCredentials {
    type Done = ResealStep;
    const ROUTE: Route = Route::change("/admin/v1/organisations/{org}/keys/reseal", "resealCredentials");

    async fn perform(&self, operator: &Operator) -> Result<ResealStep, AdminError> {
        let (store, vault) = parts(operator, &self.org).await?;
        let after = self.after.clone().map(|Place { environment, account, slug }| IntegrationKey {
            account: AccountKey { org: self.org.clone(), environment, account },
            slug,
        });
        let done = keys::reseal(store, vault, &self.org, after.as_ref(), STEP).await?;
        let next = done.last.map(|IntegrationKey { account, slug }| Place {
            environment: account.environment,
            account: account.account,
            slug,
        });
        Ok(ResealStep { resealed: done.resealed, left: done.left, next })
    }
}

impl Operation for DisableKey {
    type Done = ShownKey;
    const ROUTE: Route = Route::change("/admin/v1/organisations/{org}/keys/disable", "disableKey");

    async fn perform(&self, operator: &Operator) -> Result<ShownKey, AdminError> {
        change(operator, &self.org, self.key_id, RootChange::Disable).await
    }
}

impl Operation for DestroyKey {
    type Done = ShownKey;
    const ROUTE: Route = Route::change("/admin/v1/organisations/{org}/keys/destroy", "destroyKey");

    async fn perform(&self, operator: &Operator) -> Result<ShownKey, AdminError> {
        change(operator, &self.org, self.key_id, RootChange::Destroy).await
    }
}

async fn change(operator: &Operator, org: &OrgId, key_id: u32, change: RootChange) -> Result<ShownKey, AdminError> {
    let (store, vault) = parts(operator, org).await?;
    Ok(shown(&keys::change(store.as_ref(), vault, org, KeyId::new(key_id), change).await?, false, 0))
}
