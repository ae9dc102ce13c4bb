//! Operations on organisations: those that exist, and the check that one does.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::AdminError;
use crate::admin::operations::{Operation, Route};
use crate::admin::operator::Operator;
use keyferry_store::{RootRecord, Store};
use keyferry_types::ids::OrgId;

/// Lists the organisations.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOrganisations {}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShownOrganisation {
    /// The organisation.
    pub org: OrgId,
    /// The time of creation of its oldest root key.
    pub created_at: String,
    /// The number of its root keys.
    pub root_keys: u64,
}

impl Operation for ListOrganisations {
    type Done = Vec<ShownOrganisation>;
    const ROUTE: Route = Route::read("/admin/v1/organisations", "listOrganisations");

    async fn perform(&self, operator: &Operator) -> Result<Vec<ShownOrganisation>, AdminError> {
        let mut shown: Vec<ShownOrganisation> = Vec::new();
        // The roots of an organisation follow each other, from the oldest on.
        for (org, root) in store(operator)?.all_roots().await? {
            match shown.last_mut().filter(|last| last.org == org) {
                Some(last) => last.root_keys += 1,
                None => shown.push(first(org, &root)),
            }
        }
        shown.sort_by(|one, other| one.org.as_str().cmp(other.org.as_str()));
        Ok(shown)
    }
}

fn first(org: OrgId, root: &RootRecord) -> ShownOrganisation {
    ShownOrganisation { org, created_at: root.created_at.to_string(), root_keys: 1 }
}

/// The store, if the organisation exists: it has a root from its first API key on, and always keeps one.
pub(super) async fn store_with<'a>(operator: &'a Operator, org: &OrgId) -> Result<&'a Arc<dyn Store>, AdminError> {
    let store = store(operator)?;
    match store.roots(org).await?.is_empty() {
        true => Err(AdminError::NoSuchOrganisation { org: org.clone() }),
        false => Ok(store),
    }
}

fn store(operator: &Operator) -> Result<&Arc<dyn Store>, AdminError> {
    operator.store.as_ref().ok_or(AdminError::Missing("the store"))
}
