//! What an operation is, and how it stands in a request.

use async_trait::async_trait;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::admin::AdminError;
use crate::admin::Operator;

/// Something that an operator can ask for.
#[async_trait]
pub trait Operation: Serialize + DeserializeOwned + ToSchema + Send + Sync {
    /// What it gives.
    type Done: Serialize + DeserializeOwned + ToSchema + Send;
    /// How it is asked for over HTTP.
    const ROUTE: Route;
    /// Carries it out.
    async fn perform(&self, operator: &Operator) -> Result<Self::Done, AdminError>;
}

/// How an operation is asked for over HTTP. Members that the path does not name stand in the query where it reads, and in a JSON
/// body where it changes something.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Whether it changes something.
    pub verb: Verb,
    /// A member in braces stands for its value: `/admin/v1/plugins/{target}`.
    pub path: &'static str,
    /// What programs call it.
    pub id: &'static str,
}

/// Whether an operation changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET`: nothing.
    Read,
    /// `POST`
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
    /// One that changes nothing.
    pub(super) const fn read(path: &'static str, id: &'static str) -> Self {
        Self { verb: Verb::Read, path, id }
    }

    /// One that changes something.
    pub(super) const fn change(path: &'static str, id: &'static str) -> Self {
        Self { verb: Verb::Change, path, id }
    }

    /// The members that stand in the path.
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
