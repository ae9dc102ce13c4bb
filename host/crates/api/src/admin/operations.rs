//! Operations of the admin API and their form in a request.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::admin::error::AdminError;
use crate::admin::operator::Operator;

/// An operation that an operator can request.
pub trait Operation: Serialize + DeserializeOwned + ToSchema + Send + Sync {
    /// The operation's result.
    type Done: Serialize + DeserializeOwned + ToSchema + Send;
    /// The operation's HTTP form.
    const ROUTE: Route;
    /// Performs the operation.
    fn perform(&self, operator: &Operator) -> impl Future<Output = Result<Self::Done, AdminError>> + Send;
}

/// How an operation is asked for over HTTP. Members that the path does not name are query parameters of a read, and members of
/// the JSON body of a change.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The kind of operation: read or change.
    pub verb: Verb,
    /// A member in braces is replaced by its value: `/admin/v1/plugins/{target}`.
    pub path: &'static str,
    /// The operation id in the OpenAPI document.
    pub id: &'static str,
}

/// Whether an operation changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET`: reads only.
    Read,
    /// `POST`: changes something.
    Change,
}

impl Verb {
    /// The method that says it.
    pub(super) fn method(self) -> Method {
        match self {
            Self::Read => Method::GET,
            Self::Change => Method::POST,
        }
    }
}

impl Route {
    /// A route of an operation that only reads.
    pub(super) const fn read(path: &'static str, id: &'static str) -> Self {
        Self { verb: Verb::Read, path, id }
    }

    /// A route of an operation that changes something.
    pub(super) const fn change(path: &'static str, id: &'static str) -> Self {
        Self { verb: Verb::Change, path, id }
    }

    /// The members in the path.
    pub(super) fn in_path(self) -> impl Iterator<Item = &'static str> {
        self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
    }
}

/// The path of an operation, and its other members.
pub(super) fn taken_apart<O: Operation>(operation: &O) -> Result<(String, Map<String, Value>), AdminError> {
    let Value::Object(mut members) = serde_json::to_value(operation)? else {
        return Err(AdminError::Request("an operation has members".to_owned()));
    };
    let mut path = O::ROUTE.path.to_owned();
    for name in O::ROUTE.in_path() {
        let value = members.remove(name).as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        path = path.replace(&format!("{{{name}}}"), &utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string());
    }
    members.retain(|_, value| !value.is_null());
    Ok((path, members))
}
