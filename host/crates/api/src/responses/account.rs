//! Linked accounts and their integrations.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use keyferry_sandbox::App;
use keyferry_store::{AccountRecord, AccountView, Check, IntegrationRecord, Reauth, VerificationStatus};
use keyferry_types::ids::Environment;

/// A linked account: whatever a customer of yours is to you, under your own id, with the apps that are connected to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkedAccount {
    /// Its id on this server.
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    /// The organisation whose API key it was made with.
    associated_org: String,
    /// Your own id of it.
    #[schema(min_length = 1, max_length = 256)]
    account_id: String,
    /// A name for people.
    #[schema(required = true)]
    name: Option<String>,
    /// The environment of the API key that it was made with.
    environment: Environment,
    /// The account's user-defined fields.
    udf: Vec<UserField>,
    /// Always false; the documented product marks its own samples by it.
    is_seed: bool,
    #[schema(schema_with = crate::responses::always_null, required = true)]
    tenant_account_id: Option<()>,
    /// The apps that are connected to it.
    integrations: Vec<Integration>,
    /// The time of creation.
    #[serde(rename = "createdAt")]
    #[schema(format = DateTime)]
    created_at: String,
    /// The time of the last write.
    #[serde(rename = "updatedAt")]
    #[schema(format = DateTime)]
    updated_at: String,
    /// Always 0; the documented product has it.
    #[serde(rename = "__v")]
    v: u8,
}

/// A user-defined field of a linked account.
#[derive(Serialize, ToSchema)]
struct UserField {
    /// The field's name.
    key_name: String,
    /// The field's value.
    key_value: String,
    /// The id, 24 hexadecimal digits.
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    /// The time of creation.
    #[serde(rename = "createdAt")]
    #[schema(format = DateTime)]
    created_at: String,
    /// The time of the last write.
    #[serde(rename = "updatedAt")]
    #[schema(format = DateTime)]
    updated_at: String,
}

/// An app that is connected to a linked account. Nothing of its credential is shown. Members after `auth_type` are not in the
/// documented product.
#[derive(Serialize, ToSchema)]
struct Integration {
    /// The id, 24 hexadecimal digits.
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    /// The slug of the app.
    #[schema(example = "hubspot")]
    r#type: String,
    /// The app's name for people; its slug again where its plugin does not serve now, and for `custom`, the app of your own.
    name: String,
    /// An `https:` or `data:` URL.
    #[schema(required = true)]
    icon: Option<String>,
    /// The provider account; `NA` if the provider does not state it.
    identifier: String,
    #[schema(schema_with = crate::responses::always_null, required = true)]
    app_id: Option<()>,
    /// Whether the user has to connect again.
    refresh_token_expired: bool,
    /// Whether the user has to connect again.
    reauth_required: bool,
    /// The time of creation.
    #[serde(rename = "createdAt")]
    #[schema(format = DateTime)]
    created_at: String,
    /// When its credential was last written.
    #[serde(rename = "updatedAt")]
    #[schema(format = DateTime)]
    updated_at: String,
    /// How the credential authenticates.
    #[schema(example = "oauth2")]
    auth_type: String,
    /// What `If-Match` takes, in quotes: it changes whenever the credential is replaced.
    #[schema(pattern = "^[0-9a-f]{24}-[0-9]+$")]
    revision: String,
    /// Whether the provider has confirmed the credential.
    outcome: Outcome,
    /// The reason for `unverified`.
    #[schema(required = true)]
    outcome_reason: Option<String>,
    /// When the provider last confirmed it.
    #[schema(required = true, format = DateTime)]
    verified_at: Option<String>,
    /// The last verification since the credential was stored.
    #[schema(required = true)]
    last_check: Option<LastCheck>,
    /// The provider's name of the account, for people.
    #[schema(required = true)]
    display_name: Option<String>,
    /// The scopes that the provider says the credential has.
    scopes: Vec<String>,
    /// The credential's expiry.
    #[schema(required = true, format = DateTime)]
    expires_at: Option<String>,
    /// Warnings about a working credential.
    warnings: Vec<String>,
    /// Plain values that the app needs, such as an `instance_url`.
    config: BTreeMap<String, String>,
}

/// The verification of a stored credential.
#[derive(Serialize, ToSchema)]
pub(crate) struct LastCheck {
    /// The time of the verification.
    #[schema(format = DateTime)]
    checked_at: String,
    /// `verified`, or why not, as in the header `Keyferry-Failure`.
    #[schema(example = "rejected")]
    outcome: String,
    /// The reason, for people; `null` for `verified`.
    #[schema(required = true)]
    detail: Option<String>,
}

impl LastCheck {
    pub(crate) fn new(check: &Check) -> Self {
        Self { checked_at: check.at.to_string(), outcome: check.outcome.clone(), detail: check.detail.clone() }
    }
}

/// Whether the provider has confirmed a credential.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Verified,
    Unverified,
}

/// A linked account that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountCreated {
    /// Its id on this server.
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    /// Your own id of it.
    account_id: String,
    /// A name for people.
    #[schema(required = true)]
    name: Option<String>,
    /// The environment of the API key.
    environment: Environment,
    #[schema(schema_with = crate::responses::always_null, required = true)]
    integrations: Option<()>,
}

/// A linked account that was just made or updated.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountUpserted {
    /// The account as it is now.
    #[serde(flatten)]
    pub(crate) account: LinkedAccount,
    /// Whether it was just made.
    pub(crate) new_account: bool,
}

/// A linked account is gone.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountDeleted {
    /// Always `User deleted successfully`.
    pub(crate) message: &'static str,
}

/// One page of linked accounts, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountPage {
    /// The linked accounts of the page.
    docs: Vec<LinkedAccount>,
    /// How many there are on all pages.
    #[serde(rename = "totalDocs")]
    total_docs: usize,
    /// How many a page has.
    limit: usize,
    /// How many pages there are.
    #[serde(rename = "totalPages")]
    total_pages: usize,
    /// Which page this is, from 1.
    page: usize,
    /// The number of the first account on this page, from 1.
    #[serde(rename = "pagingCounter")]
    paging_counter: usize,
    /// Whether there is a page before.
    #[serde(rename = "hasPrevPage")]
    has_prev_page: bool,
    /// Whether there is another page.
    #[serde(rename = "hasNextPage")]
    has_next_page: bool,
    /// The number of the previous page.
    #[serde(rename = "prevPage")]
    #[schema(required = true)]
    prev_page: Option<usize>,
    /// The number of the next page.
    #[serde(rename = "nextPage")]
    #[schema(required = true)]
    next_page: Option<usize>,
}

impl Outcome {
    /// The outcome of a verification status.
    pub(crate) fn from_status(standing: &VerificationStatus) -> Self {
        match standing {
            VerificationStatus::Verified => Self::Verified,
            VerificationStatus::Unverified { .. } => Self::Unverified,
        }
    }
}

impl AccountPage {
    /// Page `page` (from 1) of `total` accounts, `limit` (at least 1) on each.
    pub(crate) fn new(views: &[AccountView], apps: &[Arc<App>], total: usize, page: usize, limit: usize) -> Self {
        let pages = total.div_ceil(limit).max(1);
        Self {
            docs: views.iter().map(|view| LinkedAccount::new(view, apps)).collect(),
            total_docs: total,
            limit,
            total_pages: pages,
            page,
            paging_counter: page.saturating_sub(1).saturating_mul(limit).saturating_add(1),
            has_prev_page: page > 1,
            has_next_page: page < pages,
            prev_page: (page > 1).then(|| page - 1),
            next_page: (page < pages).then(|| page + 1),
        }
    }
}

impl AccountCreated {
    /// Of the account as it was stored.
    pub(crate) fn new(account: &AccountRecord) -> Self {
        Self {
            id: account.id.to_string(),
            account_id: account.account_id.to_string(),
            name: account.name.clone(),
            environment: account.environment,
            integrations: None,
        }
    }
}

impl LinkedAccount {
    /// An account with what is connected to it, under the names that these apps have.
    pub(crate) fn new(view: &AccountView, apps: &[Arc<App>]) -> Self {
        let AccountRecord { id, org, environment, account_id, name, udf, created_at, updated_at } = &view.account;
        let udf = udf.iter().map(|field| UserField {
            key_name: field.key_name.clone(),
            key_value: field.key_value.clone(),
            id: field.id.to_string(),
            created_at: field.created_at.to_string(),
            updated_at: field.updated_at.to_string(),
        });
        Self {
            id: id.to_string(),
            associated_org: org.to_string(),
            account_id: account_id.to_string(),
            name: name.clone(),
            environment: *environment,
            udf: udf.collect(),
            is_seed: false,
            tenant_account_id: None,
            integrations: view.integrations.iter().map(|record| Integration::new(record, apps)).collect(),
            created_at: created_at.to_string(),
            updated_at: updated_at.to_string(),
            v: 0,
        }
    }
}

impl Integration {
    fn new(record: &IntegrationRecord, apps: &[Arc<App>]) -> Self {
        let app = apps.iter().find(|app| app.description.slug == record.slug);
        let reauth = record.reauth == Reauth::Required;
        let outcome_reason = match &record.standing {
            VerificationStatus::Verified => None,
            VerificationStatus::Unverified { reason } => Some(reason.clone()),
        };
        Self {
            id: record.id.to_string(),
            r#type: record.slug.to_string(),
            name: app.map_or_else(|| record.slug.to_string(), |app| app.description.name.clone()),
            icon: app.and_then(|app| app.description.icon.clone()),
            identifier: record.provider_account_id.clone().unwrap_or_else(|| "NA".to_owned()),
            app_id: None,
            refresh_token_expired: reauth,
            reauth_required: reauth,
            created_at: record.created_at.to_string(),
            updated_at: record.updated_at.to_string(),
            auth_type: record.auth_type.to_string(),
            revision: format!("{}-{}", record.id, record.version),
            outcome: Outcome::from_status(&record.standing),
            outcome_reason,
            verified_at: record.verified_at.map(|at| at.to_string()),
            last_check: record.check.as_ref().map(LastCheck::new),
            display_name: record.display_name.clone(),
            scopes: record.scopes.clone(),
            expires_at: record.expires_at.map(|at| at.to_string()),
            warnings: record.warnings.clone(),
            config: record.config.clone(),
        }
    }
}
