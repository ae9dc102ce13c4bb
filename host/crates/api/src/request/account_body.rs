//! What makes a linked account.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use utoipa::ToSchema;

use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::request::account_name::{Place, conflict};
use crate::request::body;
use crate::request::repeated::{self, Conflict};
use keyferry_types::echo::{masked_note, safe_name};
use keyferry_types::ids::{FieldName, InvalidName, LinkedAccountId};
use keyferry_types::invisible::InvisibleCharacter;
use keyferry_types::secret::{Secret, SharedSecret};

const MAX_NAME: usize = 500;
pub(crate) const MAX_FIELDS: usize = 100;
pub(crate) const MAX_FIELD: usize = 2000;

/// A linked account to make or update. `account_id` or `linked_account_id` is needed; where both are there, they have to agree.
/// Members that are not known are ignored.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AccountBody {
    /// Your own id of it: whatever names this customer in your system.
    #[schema(min_length = 1, max_length = 256, example = "user_1")]
    pub(crate) account_id: Option<String>,
    /// Another name for `account_id`.
    #[schema(min_length = 1, max_length = 256)]
    pub(crate) linked_account_id: Option<String>,
    /// As other bodies and queries may spell it.
    #[serde(rename = "linkedAccountId")]
    #[schema(ignore)]
    camel_case_id: Option<String>,
    /// The same id in the spelling with hyphens.
    #[serde(rename = "linked-account-id")]
    #[schema(ignore)]
    hyphened_id: Option<String>,
    /// The account's name for people.
    #[schema(max_length = 500)]
    pub(crate) name: Option<String>,
    /// User-defined fields, at most 100, to set on it; those that are not here stay as they are.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({ "plan": "gold" }))]
    #[serde(default, deserialize_with = "body::distinct")]
    pub(crate) udf: Option<BTreeMap<String, String>>,
    /// Credentials of your own app to set for this account: what your code needs to act for this customer. They are encrypted;
    /// those that are not here stay as they are.
    pub(crate) your_app: Option<YourApp>,
}

/// A linked account to make or update, its members flat or under `payload`, which then counts.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpsertBody {
    #[serde(flatten)]
    pub(crate) flat: AccountBody,
    /// The members, if they are not beside it.
    #[schema(nullable = true)]
    pub(crate) payload: Option<AccountBody>,
}

impl UpsertBody {
    /// The effective members: those of `payload`, if it is given.
    pub(crate) fn sent(self) -> AccountBody {
        self.payload.unwrap_or(self.flat)
    }
}

/// Credentials of your own app.
#[derive(Deserialize, ToSchema)]
pub(crate) struct YourApp {
    /// At most 64, by their names: letters, digits and `_`. At least one is needed.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({ "api_key": "acme-live-Yx3PqL7v" }))]
    auth_credentials: Option<AuthCredentials>,
}

/// Name and value of each, in the order in which they were sent, and a name that is there twice twice.
struct AuthCredentials(Vec<(String, SharedSecret)>);

impl<'de> Deserialize<'de> for AuthCredentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = AuthCredentials;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<AuthCredentials, A::Error> {
                let mut all = Vec::new();
                while let Some((name, value)) = members.next_entry::<String, String>()? {
                    all.push((name, SharedSecret::new(Secret::new(value))));
                }
                Ok(AuthCredentials(all))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl AccountBody {
    /// The id that the body gives the account.
    pub(crate) fn id(&self) -> Result<LinkedAccountId, ApiError> {
        let mut account = None;
        let named = [&self.linked_account_id, &self.account_id, &self.camel_case_id, &self.hyphened_id];
        for text in named.into_iter().flatten() {
            repeated::set(&mut account, new_account_id(text)?)
                .map_err(|Conflict| conflict(Place::Body, Place::Body))?;
        }
        account.ok_or_else(|| ApiError::new(&problem::BODY_NAMES_NO_ACCOUNT, "linked_account_id required"))
    }

    /// Refuses a name or fields that are too much.
    pub(crate) fn check_size(&self) -> Result<(), ApiError> {
        let too_large = |what: String| ApiError::new(&problem::ACCOUNT_TOO_LARGE, what);
        if self.name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME) {
            return Err(too_large(format!("name has more than {MAX_NAME} characters")));
        }
        let udf = self.udf.iter().flatten();
        if udf.clone().count() > MAX_FIELDS {
            return Err(too_large(format!("udf has more than {MAX_FIELDS} fields")));
        }
        match udf.clone().find(|(name, value)| [name, value].iter().any(|text| text.chars().count() > MAX_FIELD)) {
            Some((name, _)) => {
                let shown = safe_name(name, []);
                Err(too_large(format!("udf.{shown} is longer than {MAX_FIELD} characters{}", masked_note(name, shown))))
            }
            None => Ok(()),
        }
    }

    /// The credentials in `your_app`, none where it is not there.
    pub(crate) fn credentials(&self) -> Result<Vec<(FieldName, SharedSecret)>, ApiError> {
        let Some(your_app) = &self.your_app else { return Ok(Vec::new()) };
        let sent = your_app.auth_credentials.as_ref().map(|all| all.0.as_slice()).unwrap_or_default();
        if sent.is_empty() {
            let message = "Valid App ID and Auth credentials required in your_app";
            return Err(ApiError::new(&problem::YOUR_APP_EMPTY, message));
        }
        let mut credentials: Vec<(FieldName, SharedSecret)> = Vec::with_capacity(sent.len());
        for (name, value) in sent {
            let invalid = |error: InvalidName| ApiError::new(&problem::INVALID_NAME, error.rule());
            let name: FieldName = name.parse().map_err(invalid)?;
            if credentials.iter().any(|(known, _)| *known == name) {
                return Err(ApiError::new(&problem::DUPLICATE_AUTH_KEY, "Duplicate Auth key_name not allowed"));
            }
            credentials.push((name, SharedSecret::clone(value)));
        }
        Ok(credentials)
    }
}

/// An id that a new account can have. White space around it would make an account that the header `linked_account_id` cannot
/// name: HTTP takes it off.
fn new_account_id(text: &str) -> Result<LinkedAccountId, ApiError> {
    if text.is_empty() {
        return Err(ApiError::new(&problem::BODY_NAMES_NO_ACCOUNT, "linked_account_id required"));
    }
    let invalid = |problem: String| ApiError::new(&problem::BODY_ACCOUNT_ID_INVALID, problem);
    if text.trim() != text {
        return Err(invalid("a linked account id must not begin or end with white space".to_owned()));
    }
    // A control character is refused by the rule of ids.
    if !text.chars().any(char::is_control)
        && let Some(invisible) = InvisibleCharacter::first_in(text)
    {
        return Err(invalid(format!("a linked account id must not hold the invisible character {invisible}")));
    }
    text.parse().map_err(|error: InvalidName| invalid(error.rule()))
}
