//! Requests to register and to change webhooks.

use std::collections::BTreeSet;

use keyferry_egress::{WebhookHeader, WebhookUrl};
use keyferry_store::{ConnectionEvent, WebhookMethod, WebhookState};
use keyferry_types::ids::Slug;
use keyferry_types::secret::SharedSecret;

/// Headers that a webhook can have.
pub const MOST_HEADERS: usize = 20;
/// Bytes that their names and values can have together.
const MOST_HEADER_BYTES: usize = 8 * 1024;
/// Characters of a signing secret.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 16..=256;

/// A webhook to register.
#[derive(Debug)]
pub struct NewWebhook {
    /// The webhook's URL.
    pub url: WebhookUrl,
    /// The events that are sent; at least one.
    pub events: BTreeSet<ConnectionEvent>,
    /// The only app whose events are sent; all apps if absent.
    pub slug: Option<Slug>,
    /// HTTP method of the calls.
    pub method: WebhookMethod,
    /// Purpose of the webhook, for people.
    pub description: Option<String>,
    /// Whether events are sent.
    pub state: WebhookState,
    /// Headers that are sent with each call.
    pub headers: WebhookHeaders,
    /// The signing secret; generated if absent.
    pub signing_secret: Option<SigningSecret>,
}

/// What is to change about a webhook. What is `None` stays.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "as those of `NewWebhook`")]
pub struct WebhookChange {
    pub url: Option<WebhookUrl>,
    pub events: Option<BTreeSet<ConnectionEvent>>,
    pub slug: Option<Option<Slug>>,
    pub method: Option<WebhookMethod>,
    pub description: Option<Option<String>>,
    pub state: Option<WebhookState>,
    pub headers: Option<Vec<HeaderChange>>,
    pub signing_secret: Option<SigningSecret>,
}

/// One header of a changed webhook. Those that are not listed are gone.
#[derive(Debug)]
pub enum HeaderChange {
    /// Set this header.
    Set(WebhookHeader),
    /// The one of this name as it is stored: reads show its value as `***`.
    Keep(String),
}

/// Headers of a webhook, each name once.
#[derive(Debug, Default)]
pub struct WebhookHeaders(Vec<WebhookHeader>);

/// Headers that are too many, or too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("webhook_headers: {0}")]
pub struct InvalidHeaders(&'static str);

impl WebhookHeaders {
    /// Checks that there are not too many.
    ///
    /// # Errors
    /// Where there are, or one is there twice: names do not differ by case.
    pub fn new(headers: Vec<WebhookHeader>) -> Result<Self, InvalidHeaders> {
        if headers.len() > MOST_HEADERS {
            return Err(InvalidHeaders("more than 20 are too many"));
        }
        let bytes: usize = headers.iter().map(|header| header.name().len() + header.value().len()).sum();
        if bytes > MOST_HEADER_BYTES {
            return Err(InvalidHeaders("names and values have more than 8192 bytes together"));
        }
        let names: BTreeSet<_> = headers.iter().map(WebhookHeader::name).collect();
        if names.len() < headers.len() {
            return Err(InvalidHeaders("a name is there twice; upper and lower case do not tell names apart"));
        }
        Ok(Self(headers))
    }

    /// The headers in their order.
    pub fn list(&self) -> &[WebhookHeader] {
        &self.0
    }
}

/// A signing secret that a caller has chosen.
#[derive(Debug)]
pub struct SigningSecret(SharedSecret);

/// A text that is no signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signing_secret must have 16 to 256 printable ASCII characters and no spaces")]
pub struct InvalidSigningSecret;

impl SigningSecret {
    /// Takes a text over, if it can be one.
    ///
    /// # Errors
    /// If the secret is too short, or holds characters other than printable ASCII.
    pub fn new(text: SharedSecret) -> Result<Self, InvalidSigningSecret> {
        let fits = SECRET_LENGTH.contains(&text.len()) && text.expose().bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text)) } else { Err(InvalidSigningSecret) }
    }

    /// The secret's value.
    pub(super) fn shared(&self) -> SharedSecret {
        SharedSecret::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_types::secret::Secret;

    #[test]
    fn a_signing_secret_is_long_enough_and_can_be_typed() {
        let of = |text: &str| SigningSecret::new(SharedSecret::new(Secret::new(text)));
        for good in ["pk_0123456789abc", &"x".repeat(256)] {
            assert!(of(good).is_ok(), "{good}");
        }
        for bad in ["", "pk_0123456789ab", "pk 0123456789abc", "pk_0123456789abé", &"x".repeat(257)] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_few_and_each_is_there_once() {
        let header =
            |name: &str, value: String| WebhookHeader::new(name, SharedSecret::new(Secret::new(value))).unwrap();
        let named = |count: usize| (0..count).map(|n| header(&format!("x-{n}"), "v".to_owned())).collect::<Vec<_>>();
        assert!(WebhookHeaders::new(named(MOST_HEADERS)).is_ok());
        assert!(WebhookHeaders::new(named(MOST_HEADERS + 1)).is_err());
        assert!(WebhookHeaders::new(vec![header("x-a", "v".repeat(MOST_HEADER_BYTES))]).is_err());
        assert!(WebhookHeaders::new(vec![header("x-a", "1".to_owned()), header("X-A", "2".to_owned())]).is_err());
    }
}
