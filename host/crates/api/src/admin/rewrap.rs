//! Operations on the forms that roots are stored in. The caller has the old and the new key-encryption keys; a running server
//! needs and keeps only its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::AdminError;
use crate::admin::operations::{Operation, Route};
use crate::admin::operator::Operator;
use keyferry_store::{AuditAction, AuditEvent, Rewrap, RootRecord, Wrapping};
use keyferry_types::ids::OrgId;

/// Lists roots in the forms that they are stored in, wrapped.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRoots {}

/// Stores roots in other forms.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RewrapRoots {
    /// The roots to update, with their new forms.
    pub roots: Vec<NewForms>,
}

/// A root as it is stored: of no use without a key that wrapped it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StoredRoot {
    /// The organisation.
    pub org: OrgId,
    /// The root's key id.
    pub key_id: u32,
    /// Whether something may be sealed under it.
    pub in_use: bool,
    /// The root's forms: one for each key-encryption key that has wrapped it.
    pub forms: Vec<Form>,
}

/// One form of a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Form {
    /// The key-encryption key that wrapped it.
    pub by: String,
    /// The wrapped root, in base64.
    pub wrapped: String,
}

/// Other forms for a root.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewForms {
    /// The organisation.
    pub org: OrgId,
    /// The root's key id.
    pub key_id: u32,
    /// The stored forms that the update expects; another state leaves the root as it is.
    pub from: Vec<Form>,
    /// The forms to store.
    pub to: Vec<Form>,
}

/// How many roots got their new forms. The others had changed meanwhile.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Rewrapped {
    /// The number of roots that were updated.
    pub stored: u64,
}

impl From<Wrapping> for Form {
    fn from(form: Wrapping) -> Self {
        Self { by: form.kek_id, wrapped: STANDARD.encode(form.wrapped) }
    }
}

impl TryFrom<Form> for Wrapping {
    type Error = AdminError;

    fn try_from(form: Form) -> Result<Self, AdminError> {
        let wrapped = STANDARD.decode(form.wrapped);
        let wrapped = wrapped.map_err(|error| AdminError::Request(format!("a wrapped root: {error}")))?;
        Ok(Self { kek_id: form.by, wrapped })
    }
}

impl Operation for ListRoots {
    type Done = Vec<StoredRoot>;
    const ROUTE: Route = Route::read("/admin/v1/roots", "listRoots");

    async fn perform(&self, operator: &Operator) -> Result<Vec<StoredRoot>, AdminError> {
        let store = operator.store.as_ref().ok_or(AdminError::Missing("the store"))?;
        let one = |(org, root): (OrgId, RootRecord)| StoredRoot {
            org,
            key_id: root.key_id,
            in_use: root.disabled_at.is_none(),
            forms: root.wrappings().into_iter().map(Form::from).collect(),
        };
        Ok(store.all_roots().await?.into_iter().map(one).collect())
    }
}

impl Operation for RewrapRoots {
    type Done = Rewrapped;
    const ROUTE: Route = Route::change("/admin/v1/roots/rewrap", "rewrapRoots");

    async fn perform(&self, operator: &Operator) -> Result<Rewrapped, AdminError> {
        let store = operator.store.as_ref().ok_or(AdminError::Missing("the store"))?;
        let vault = operator.vault.as_ref().ok_or(AdminError::Missing("the vault"))?;
        let own = vault.kek().id().await?;
        let has_own = |forms: &[Form]| forms.iter().any(|form| form.by == own);
        // What this process wraps from now on only its own key opens: without it, no single key would open the store.
        if let Some(root) = self.roots.iter().find(|root| has_own(&root.from) && !has_own(&root.to)) {
            return Err(AdminError::OwnKeyForgotten { org: root.org.clone(), key_id: root.key_id, own });
        }
        let forms = |forms: &[Form]| forms.iter().cloned().map(Wrapping::try_from).collect::<Result<Vec<_>, _>>();
        let mut stored = 0;
        for NewForms { org, key_id, from, to } in &self.roots {
            let by = to.iter().map(|form| form.by.as_str()).collect::<Vec<_>>().join(" and ");
            let audit = AuditEvent::by_operator(AuditAction::KeyRewrapped, format!("key {key_id} by {by}"));
            let rewrap = Rewrap { org: org.clone(), key_id: *key_id, from: forms(from)?, to: forms(to)?, audit };
            stored += u64::from(store.rewrap_root(rewrap).await?);
        }
        Ok(Rewrapped { stored })
    }
}
