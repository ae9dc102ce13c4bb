//! What a request says of a webhook. The bodies are read by hand: any of their texts can be a secret, and a member that is
//! `null` is another thing than one that is not there.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::request::body;
use crate::responses::{Masked, WebhookEvent, WebhookType};
use keyferry_egress::{WebhookHeader, WebhookUrl};
use keyferry_schema::Input;
use keyferry_store::{ConnectionEvent, WebhookMethod, WebhookState};
use keyferry_types::echo::MASK;
use keyferry_types::ids::{InvalidName, Slug};
use keyferry_types::secret::SharedSecret;
use keyferry_webhooks::{
    HeaderChange, InvalidHeaders, InvalidSigningSecret, NewWebhook, SigningSecret, WebhookChange, WebhookHeaders,
    Webhooks,
};

/// The maximum length of a description in characters.
const MAX_DESCRIPTION: usize = 500;

/// A webhook to register. Members that are not known are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read by hand")]
pub(crate) struct WebhookBody {
    /// The webhook's URL: https, without user, password and fragment.
    #[schema(pattern = "^https?://", max_length = 2048, example = "https://hooks.example.com/keyferry")]
    webhook_url: String,
    /// The events that are sent to the webhook.
    #[schema(min_items = 1)]
    webhook_events: Vec<WebhookEvent>,
    /// Additional headers of each delivery: at most 20, 8 KiB in all. The values are sealed and never shown again.
    #[schema(nullable = true, value_type = Option<BTreeMap<String, String>>, example = json!({ "authorization": "Bearer hooks-9fQ2wLr7" }))]
    webhook_headers: Option<BTreeMap<String, String>>,
    /// A description for people.
    #[schema(max_length = 500)]
    webhook_description: Option<String>,
    /// Another name for `webhook_description`, which takes precedence if both are given.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// The HTTP method of a delivery; `POST` by default.
    method: Option<WebhookMethod>,
    /// The only app whose events are sent; all apps by default.
    #[schema(pattern = "^([a-z0-9][a-z0-9-]{0,63})?$", example = "hubspot")]
    slug: Option<String>,
    /// Whether events are sent; `true` by default.
    is_enabled: Option<bool>,
    /// The secret that signs deliveries: 16 to 256 printable ASCII characters. By default the server generates one and returns
    /// it.
    #[schema(pattern = "^[!-~]{16,256}$")]
    signing_secret: Option<String>,
    /// Other types than `default` are refused.
    webhook_type: Option<WebhookType>,
}

/// Changes to a webhook. Absent members stay as they are.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read by hand")]
pub(crate) struct WebhookChangeBody {
    /// The webhook's URL: https, without user, password and fragment.
    #[schema(pattern = "^https?://", max_length = 2048, example = "https://hooks.example.com/keyferry")]
    webhook_url: Option<String>,
    /// The events that are sent to the webhook.
    #[schema(min_items = 1)]
    webhook_events: Option<Vec<WebhookEvent>>,
    /// All its headers: those that are not listed are gone. `***` leaves a value as it is stored.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    webhook_headers: Option<BTreeMap<String, Masked>>,
    /// A description for people; `null` removes it.
    #[schema(max_length = 500)]
    webhook_description: Option<String>,
    /// Another name for `webhook_description`, which takes precedence if both are given.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// The HTTP method of a delivery.
    method: Option<WebhookMethod>,
    /// The only app whose events are sent; `null` for all apps.
    #[schema(pattern = "^([a-z0-9][a-z0-9-]{0,63})?$", example = "hubspot")]
    slug: Option<String>,
    /// Whether events are sent. Disabling a webhook discards its waiting deliveries.
    is_enabled: Option<bool>,
    /// The new secret that signs deliveries: 16 to 256 printable ASCII characters.
    #[schema(pattern = "^[!-~]{16,256}$")]
    signing_secret: Option<String>,
    /// Other types than `default` are refused.
    webhook_type: Option<WebhookType>,
}

/// A webhook to register.
pub(crate) fn new_of(body: Input, webhooks: &Webhooks) -> Result<NewWebhook, ApiError> {
    let mut members = Members::from_body(body)?;
    members.refuse_what_is_not_supported()?;
    let missing = |name| invalid(format!("{name} is required"));
    let headers = members.headers()?.unwrap_or_default().into_iter().map(|header| match header {
        HeaderChange::Set(header) => Ok(header),
        HeaderChange::Keep(_) => {
            Err(invalid("webhook_headers: `***` keeps a stored value, and a new webhook has none"))
        }
    });
    Ok(NewWebhook {
        url: members.url(webhooks)?.ok_or_else(|| missing("webhook_url"))?,
        events: members.events()?.ok_or_else(|| missing("webhook_events"))?.into_iter().collect(),
        slug: members.slug()?.flatten(),
        method: members.method()?.unwrap_or(WebhookMethod::Post),
        description: members.description()?.flatten(),
        state: members.state()?.unwrap_or(WebhookState::Enabled),
        headers: WebhookHeaders::new(headers.collect::<Result<_, _>>()?)
            .map_err(|error: InvalidHeaders| invalid(error.to_string()))?,
        signing_secret: members.signing_secret()?,
    })
}

/// What is to change about a webhook.
pub(crate) fn change_of(body: Input, webhooks: &Webhooks) -> Result<WebhookChange, ApiError> {
    let mut members = Members::from_body(body)?;
    members.refuse_what_is_not_supported()?;
    Ok(WebhookChange {
        url: members.url(webhooks)?,
        events: members.events()?.map(|events| events.into_iter().collect()),
        slug: members.slug()?,
        method: members.method()?,
        description: members.description()?,
        state: members.state()?,
        headers: members.headers()?,
        signing_secret: members.signing_secret()?,
    })
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(&problem::WEBHOOK_INVALID, message)
}

/// The members of a body that are not read yet.
struct Members(Vec<(String, Input)>);

impl Members {
    fn from_body(body: Input) -> Result<Self, ApiError> {
        match body {
            Input::Object(members) => Ok(Self(members)),
            other => Err(body::not_an_object(other.kind())),
        }
    }

    fn take(&mut self, name: &str) -> Option<Input> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// A text: not there, `null`, or its value.
    fn text(&mut self, name: &str) -> Result<Option<Option<SharedSecret>>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Input::Null) => Ok(Some(None)),
            Some(Input::Text(text)) => Ok(Some(Some(text))),
            Some(other) => Err(invalid(format!("{name} must be a string, and is {}", other.kind()))),
        }
    }

    fn url(&mut self, webhooks: &Webhooks) -> Result<Option<WebhookUrl>, ApiError> {
        let text = self.text("webhook_url")?.flatten();
        let url = text.map(|text| webhooks.url(text.expose())).transpose();
        url.map_err(|error| invalid(format!("webhook_url: {error}")))
    }

    fn events(&mut self) -> Result<Option<Vec<ConnectionEvent>>, ApiError> {
        let items = match self.take("webhook_events") {
            None | Some(Input::Null) => return Ok(None),
            Some(Input::Array(items)) if !items.is_empty() => items,
            Some(Input::Array(_)) => return Err(invalid("webhook_events must name at least one event")),
            Some(other) => return Err(invalid(format!("webhook_events must be an array, and is {}", other.kind()))),
        };
        let one = |item: Input| match item {
            Input::Text(text) => text.expose().parse().map_err(|error| unknown_event(&error)),
            other => Err(invalid(format!("webhook_events must be an array of strings, and holds {}", other.kind()))),
        };
        items.into_iter().map(one).collect::<Result<_, _>>().map(Some)
    }

    fn headers(&mut self) -> Result<Option<Vec<HeaderChange>>, ApiError> {
        let members = match self.take("webhook_headers") {
            None => return Ok(None),
            Some(Input::Null) => return Ok(Some(Vec::new())),
            Some(Input::Object(members)) => members,
            Some(other) => return Err(invalid(format!("webhook_headers must be an object, and is {}", other.kind()))),
        };
        let one = |(name, value): (String, Input)| match value {
            Input::Text(text) if text.expose() == MASK => Ok(HeaderChange::Keep(name)),
            Input::Text(text) => {
                let header = WebhookHeader::new(&name, text).map_err(|error| invalid(error.to_string()))?;
                Ok(HeaderChange::Set(header))
            }
            other => Err(invalid(format!("webhook_headers must have strings for values, and holds {}", other.kind()))),
        };
        members.into_iter().map(one).collect::<Result<_, _>>().map(Some)
    }

    fn description(&mut self) -> Result<Option<Option<String>>, ApiError> {
        let (main, other) = (self.text("webhook_description")?, self.text("description")?);
        for (name, text) in [("webhook_description", &main), ("description", &other)] {
            let length = text.iter().flatten().map(|text| text.expose().chars().count()).sum::<usize>();
            if length > MAX_DESCRIPTION {
                return Err(invalid(format!("{name} has more than {MAX_DESCRIPTION} characters")));
            }
        }
        let Some(text) = main.or(other) else { return Ok(None) };
        Ok(Some(text.map(|text| text.expose().to_owned()).filter(|text| !text.is_empty())))
    }

    fn slug(&mut self) -> Result<Option<Option<Slug>>, ApiError> {
        let Some(text) = self.text("slug")? else { return Ok(None) };
        let text = text.filter(|text| !text.is_empty());
        let slug = text.map(|text| text.expose().parse()).transpose();
        slug.map(Some).map_err(|error: InvalidName| invalid(error.rule()))
    }

    fn method(&mut self) -> Result<Option<WebhookMethod>, ApiError> {
        let Some(text) = self.text("method")?.flatten() else { return Ok(None) };
        match text.expose() {
            "POST" => Ok(Some(WebhookMethod::Post)),
            "PUT" => Ok(Some(WebhookMethod::Put)),
            "PATCH" => Ok(Some(WebhookMethod::Patch)),
            _ => Err(invalid("method must be POST, PUT or PATCH")),
        }
    }

    fn state(&mut self) -> Result<Option<WebhookState>, ApiError> {
        match self.take("is_enabled") {
            None | Some(Input::Null) => Ok(None),
            Some(Input::Bool(true)) => Ok(Some(WebhookState::Enabled)),
            Some(Input::Bool(false)) => Ok(Some(WebhookState::Disabled)),
            Some(other) => Err(invalid(format!("is_enabled must be true or false, and is {}", other.kind()))),
        }
    }

    fn signing_secret(&mut self) -> Result<Option<SigningSecret>, ApiError> {
        let Some(text) = self.text("signing_secret")?.flatten() else { return Ok(None) };
        SigningSecret::new(text).map(Some).map_err(|error: InvalidSigningSecret| invalid(error.to_string()))
    }

    /// What the documented product has and this server has not. Ignoring it would send something else than was asked for, or
    /// nothing at all.
    fn refuse_what_is_not_supported(&mut self) -> Result<(), ApiError> {
        let refused = |message| Err(ApiError::new(&problem::WEBHOOK_NOT_SUPPORTED, message));
        match self.take("webhook_type") {
            None | Some(Input::Null) => {}
            Some(Input::Text(text)) if text.expose() == "default" => {}
            Some(_) => return refused("webhook_type: this server has webhooks of the type `default` only"),
        }
        let is_nothing = |value: &Input| match value {
            Input::Null => true,
            Input::Text(text) => text.is_empty(),
            Input::Array(items) => items.is_empty(),
            Input::Object(members) => members.is_empty(),
            Input::Bool(_) | Input::Number(_) => false,
        };
        let reasons = [
            ("webhook_body", "webhook_body: the body is always the documented one; leave this out"),
            ("workflow_ids", "workflow_ids: this server has no workflows; omit this member"),
            ("group", "group: this server does not group webhooks; leave this out"),
        ];
        for (name, reason) in reasons {
            if self.take(name).is_some_and(|value| !is_nothing(&value)) {
                return refused(reason);
            }
        }
        Ok(())
    }
}

fn unknown_event(error: &keyferry_store::UnknownEvent) -> ApiError {
    ApiError::new(&problem::INVALID_EVENT, "Invalid event. Check events list in documentation.")
        .detail(error.to_string())
}
