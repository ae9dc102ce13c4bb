//! `/api/v2/public/linked-account`: the accounts that integrations hang on.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};

use super::access::linked_account;
use super::answers::{AccountCreated, AccountDeleted, AccountPage, AccountUpserted, LinkedAccount};
use super::body;
use super::credentials;
use super::failure::{Failure, Rendering, json as json_answer};
use super::kind;
use super::migrate_token::store_failure;
use super::parameters::{self, InPath, InQuery, invalid_query};
use super::routes::Api;
use super::trace::RequestId;
use crate::ids::{AccountId, AuthTypeName, InvalidName, Slug};
use crate::migrate::Caller;
use crate::shown::{aside, shown};
use crate::store::{
    AccountKey, AccountView, AccountWrite, AuditAction, AuditEvent, IntegrationKey, ListAccounts, PutAccount, PutMode,
    PutOutcome, Scope, StoreError, Timestamp,
};

/// Accounts on a page, unless the caller says otherwise, as documented.
const DEFAULT_LIMIT: i32 = 10;
const MAX_LIMIT: i32 = 1000;
const MAX_NAME: usize = 500;
pub(super) const MAX_FIELDS: usize = 100;
pub(super) const MAX_FIELD: usize = 2000;

/// A linked account to make or update. `account_id` or `linked_account_id` is needed; the former counts where both are there.
/// Members that are not known are ignored.
#[derive(Deserialize, ToSchema)]
pub(super) struct AccountBody {
    /// Your own id of it: whatever names this customer in your system.
    #[schema(min_length = 1, max_length = 256, example = "user_1")]
    account_id: Option<String>,
    /// Another name for `account_id`.
    #[schema(min_length = 1, max_length = 256)]
    linked_account_id: Option<String>,
    /// Its name for people.
    #[schema(max_length = 500)]
    name: Option<String>,
    /// User-defined fields, at most 100, to set on it; those that are not here stay as they are.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({ "plan": "gold" }))]
    #[serde(default, deserialize_with = "body::distinct")]
    udf: Option<BTreeMap<String, String>>,
    #[schema(schema_with = no_app_of_yours, required = false)]
    your_app: Option<serde::de::IgnoredAny>,
}

/// Ignoring it would lose credentials that the caller believes to be stored.
fn no_app_of_yours() -> Object {
    let about = "Credentials of your own app, in the documented product. This server cannot keep them, and refuses a body that \
                 has them.";
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null)).description(Some(about)).build()
}

/// A linked account to make or update, its members flat or under `payload`, which then counts.
#[derive(Deserialize, ToSchema)]
pub(super) struct UpsertBody {
    #[serde(flatten)]
    flat: AccountBody,
    /// The members, if they are not beside it.
    #[schema(nullable = true)]
    payload: Option<AccountBody>,
}

/// Which page to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// The page, from 1.
    #[param(minimum = 1, maximum = 2147483647, example = 1)]
    page: Option<i32>,
    /// Accounts on a page. More than 1000 are as 1000; `limit` in the answer says so.
    #[param(minimum = 1, maximum = 2147483647, default = 10)]
    limit: Option<i32>,
    /// Only accounts whose id or name contains this, upper and lower case alike.
    search: Option<String>,
}

/// Which integration to delete.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// The linked account. The header of this name does the same, and counts before it; one of the two is needed.
    #[param(min_length = 1, max_length = 256, example = "user_1")]
    linked_account_id: Option<String>,
    /// Only if it authenticates in this way.
    #[param(pattern = "^[a-z0-9_-]{1,64}$", example = "oauth2")]
    auth_type: Option<String>,
}

type Answer = Result<Response, Failure>;

/// `POST`: creates.
#[utoipa::path(
    post, path = "/api/v2/public/linked-account", operation_id = "createLinkedAccount", tag = "Linked accounts",
    summary = "Make a linked account",
    description = "Makes the account that credentials can then be put onto. It is there before the answer is sent. Takes an \
        API key with the scope `migrate`.",
    request_body = AccountBody, responses((status = 200, description = "It was made.", body = AccountCreated)),
    security(("org_api_key" = [])),
)]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let caller = api.caller(&headers, Scope::Migrate).await?;
        let put =
            put(&api, &caller, body::object(&headers, body, api.body_timeout).await?, id, PutMode::Create).await?;
        Ok(json_answer(StatusCode::OK, &AccountCreated::of(&put.account)))
    };
    render(answer.await, rendering)
}

/// `PUT`: creates or updates.
#[utoipa::path(
    put, path = "/api/v2/public/linked-account", operation_id = "upsertLinkedAccount", tag = "Linked accounts",
    summary = "Make or update a linked account",
    description = "Makes the account if there is none with this id; otherwise sets the name and the user-defined fields that \
        are given and leaves the rest. Takes an API key with the scope `migrate`.",
    request_body = UpsertBody, responses((status = 200, description = "It is as asked.", body = AccountUpserted)),
    security(("org_api_key" = [])),
)]
pub(super) async fn upsert(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let caller = api.caller(&headers, Scope::Migrate).await?;
        let UpsertBody { flat, payload } = body::object(&headers, body, api.body_timeout).await?;
        let put = put(&api, &caller, payload.unwrap_or(flat), id, PutMode::Upsert).await?;
        let view = api.store.account(&put.account.key()).await.map_err(store_failure)?;
        let integrations = view.map(|view| view.integrations).unwrap_or_default();
        let account = LinkedAccount::of(&AccountView { account: put.account, integrations });
        Ok(json_answer(StatusCode::OK, &AccountUpserted { account, new_account: put.outcome == PutOutcome::Created }))
    };
    render(answer.await, rendering)
}

/// `GET`: one page.
#[utoipa::path(
    get, path = "/api/v2/public/linked-account", operation_id = "listLinkedAccounts", tag = "Linked accounts",
    summary = "List linked accounts",
    description = "The accounts of the API key's organisation and environment, newest first, one page at a time. Takes an API \
        key with the scope `read`.",
    params(ListQuery), responses((status = 200, description = "One page.", body = AccountPage)),
    security(("org_api_key" = [])),
)]
pub(super) async fn list(State(api): State<Arc<Api>>, query: InQuery<ListQuery>, headers: HeaderMap) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let caller = api.caller(&headers, Scope::Read).await?;
        let query = parameters::query(query)?;
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let page = query.page.unwrap_or(1);
        let counted = |number: i32| usize::try_from(number).ok().filter(|number| *number > 0);
        let (Some(page), Some(limit)) = (counted(page), counted(limit)) else {
            return Err(invalid_query("page and limit begin at 1"));
        };
        let search = query.search.filter(|text| !text.is_empty());
        let found = api.store.accounts(&caller.org, caller.environment, ListAccounts { page, limit, search });
        let found = found.await.map_err(store_failure)?;
        Ok(json_answer(StatusCode::OK, &AccountPage::new(&found.views, found.total, page, limit)))
    };
    render(answer.await, rendering)
}

/// `GET /{account}`, and what is below it.
#[utoipa::path(
    get, path = "/api/v2/public/linked-account/{*account}", operation_id = "getLinkedAccount", tag = "Linked accounts",
    summary = "Show a linked account",
    description = "The account and the apps that are connected to it. Nothing of a credential is shown. Takes an API key with \
        the scope `read`.",
    params(("account" = String, Path, description = "Your own id of it. Slashes can stay as they are.", min_length = 1)),
    responses((status = 200, description = "The account.", body = LinkedAccount)),
    security(("org_api_key" = [])),
)]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    account: InPath,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let account = parameters::path(account);
        if let Some((account, slug)) = account.as_deref().ok().and_then(|path| credentials::split(path, "credentials"))
        {
            return credentials::show(&api, id, account, slug, &headers).await;
        }
        let caller = api.caller(&headers, Scope::Read).await?;
        let account = account?;
        let missing = || account_missing(&caller, &account);
        let key = account_key(&caller, account.parse().map_err(|_| missing())?);
        let view = api.store.account(&key).await.map_err(store_failure)?.ok_or_else(missing)?;
        Ok(json_answer(StatusCode::OK, &LinkedAccount::of(&view)))
    };
    render(answer.await, rendering)
}

/// `DELETE /{account}`: with all its integrations.
#[utoipa::path(
    delete, path = "/api/v2/public/linked-account/{*account}", operation_id = "deleteLinkedAccount", tag = "Linked accounts",
    summary = "Delete a linked account",
    description = "Deletes the account and every credential on it, for good. Takes an API key with the scope `admin`.",
    params(("account" = String, Path, description = "Your own id of it. Slashes can stay as they are.", min_length = 1)),
    responses((status = 200, description = "It is gone.", body = AccountDeleted)),
    security(("org_api_key" = [])),
)]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    account: InPath,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let caller = api.caller(&headers, Scope::Admin).await?;
        let account = parameters::path(account)?;
        let missing = || account_missing(&caller, &account);
        let key = account_key(&caller, account.parse().map_err(|_| missing())?);
        let audit = audit(&caller, &key, AuditAction::AccountDeleted, "deleted", id);
        api.store.delete_account(&key, audit).await.map_err(store_failure)?.ok_or_else(missing)?;
        Ok(json_answer(StatusCode::OK, &AccountDeleted { message: "User deleted successfully" }))
    };
    render(answer.await, rendering)
}

/// `DELETE /integration/{slug}`: answered with the account as it is afterwards, also where there was nothing to delete.
#[utoipa::path(
    delete, path = "/api/v2/public/linked-account/integration/{slug}", operation_id = "deleteLinkedAccountIntegration",
    tag = "Linked accounts",
    summary = "Disconnect an app from a linked account",
    description = "Deletes the app's credential, for good, and answers with the account as it is afterwards, also where there \
        was nothing to delete. Takes an API key with the scope `admin`.",
    params(
        ("slug" = String, Path, description = "The app.", pattern = "^[a-z0-9][a-z0-9-]{0,63}$", example = "hubspot"),
        DeleteQuery,
    ),
    responses((status = 200, description = "The account without it.", body = LinkedAccount)),
    security(("org_api_key" = [])),
)]
pub(super) async fn delete_integration(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    slug: InPath,
    query: InQuery<DeleteQuery>,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let caller = api.caller(&headers, Scope::Admin).await?;
        let query = parameters::query(query)?;
        let account = linked_account(&headers, query.linked_account_id.as_deref(), None)?;
        let invalid = |error: InvalidName| Failure::new(&kind::INVALID_NAME, error.rule());
        let slug: Slug = parameters::path(slug)?.parse().map_err(invalid)?;
        let auth_type: Option<AuthTypeName> = query.auth_type.map(|name| name.parse()).transpose().map_err(invalid)?;
        let key = account_key(&caller, account);
        let missing = || account_missing(&caller, key.account.as_str());
        api.store.account(&key).await.map_err(store_failure)?.ok_or_else(missing)?;
        let mut audit = audit(&caller, &key, AuditAction::IntegrationDeleted, "deleted", id);
        audit.slug = Some(slug.clone());
        let integration = IntegrationKey { account: key.clone(), slug };
        api.store.delete_integration(&integration, auth_type, audit).await.map_err(store_failure)?;
        let view = api.store.account(&key).await.map_err(store_failure)?.ok_or_else(missing)?;
        Ok(json_answer(StatusCode::OK, &LinkedAccount::of(&view)))
    };
    render(answer.await, rendering)
}

fn render(answer: Answer, rendering: Rendering) -> Response {
    answer.unwrap_or_else(|failure| failure.render(rendering))
}

async fn put(
    api: &Api,
    caller: &Caller,
    sent: AccountBody,
    id: RequestId,
    mode: PutMode,
) -> Result<PutAccount, Failure> {
    if sent.your_app.is_some() {
        let message = "your_app is not supported by this server; send account_id, name and udf only";
        return Err(Failure::new(&kind::NOT_SUPPORTED, message));
    }
    let alias = sent.linked_account_id.as_deref().map(new_account_id).transpose()?;
    let account = sent.account_id.as_deref().map(new_account_id).transpose()?.or(alias);
    let account = account.ok_or_else(|| Failure::new(&kind::BODY_NAMES_NO_ACCOUNT, "linked_account_id required"))?;
    let udf: Vec<_> = sent.udf.unwrap_or_default().into_iter().collect();
    check_size(sent.name.as_deref(), &udf)?;
    let key = account_key(caller, account);
    let audit = audit(caller, &key, AuditAction::AccountPut, "stored", id);
    let write = AccountWrite { mode, key, name: sent.name, udf, audit };
    api.store.put_account(write).await.map_err(|error| match error {
        StoreError::AccountExists { .. } => Failure::new(&kind::ACCOUNT_EXISTS, error.to_string()),
        // Fields add up: an account can outgrow its record though each request is small.
        StoreError::TooLarge { size, limit, .. } => {
            let message = format!("the account would be {size} bytes with all its fields, and {limit} are possible");
            Failure::new(&kind::ACCOUNT_TOO_LARGE, message)
        }
        other => store_failure(other),
    })
}

/// An id that a new account can have. White space around it would make an account that the header `linked_account_id` cannot
/// name: HTTP takes it off.
fn new_account_id(text: &str) -> Result<AccountId, Failure> {
    if text.is_empty() {
        return Err(Failure::new(&kind::BODY_NAMES_NO_ACCOUNT, "linked_account_id required"));
    }
    let invalid = |problem: String| Failure::new(&kind::BODY_ACCOUNT_ID_INVALID, problem);
    if text.trim() != text {
        return Err(invalid("a linked account id must not begin or end with white space".to_owned()));
    }
    text.parse().map_err(|error: InvalidName| invalid(error.rule()))
}

fn check_size(name: Option<&str>, udf: &[(String, String)]) -> Result<(), Failure> {
    let too_large = |what: String| Failure::new(&kind::ACCOUNT_TOO_LARGE, what);
    if name.is_some_and(|name| name.chars().count() > MAX_NAME) {
        return Err(too_large(format!("name has more than {MAX_NAME} characters")));
    }
    if udf.len() > MAX_FIELDS {
        return Err(too_large(format!("udf has more than {MAX_FIELDS} fields")));
    }
    match udf.iter().find(|(name, value)| [name, value].iter().any(|text| text.chars().count() > MAX_FIELD)) {
        Some((name, _)) => {
            let shown = shown(name, []);
            Err(too_large(format!("udf.{shown} is longer than {MAX_FIELD} characters{}", aside(name, shown))))
        }
        None => Ok(()),
    }
}

fn account_key(caller: &Caller, account: AccountId) -> AccountKey {
    AccountKey { org: caller.org.clone(), environment: caller.environment, account }
}

fn audit(caller: &Caller, key: &AccountKey, action: AuditAction, outcome: &str, id: RequestId) -> AuditEvent {
    AuditEvent {
        action,
        actor: caller.actor.clone(),
        environment: Some(key.environment),
        account: Some(key.account.clone()),
        slug: None,
        outcome: outcome.to_owned(),
        request_id: Some(id.0),
        at: Timestamp::now(),
    }
}

pub(super) fn account_missing(caller: &Caller, account: &str) -> Failure {
    let shown: String = account.chars().filter(|c| !c.is_control()).take(256).collect();
    let message = format!(
        "Linked Account with account id {shown} for org {} in environment {} not found",
        caller.org, caller.environment
    );
    Failure::new(&kind::ACCOUNT_UNKNOWN, message)
}
