//! The body of a delivery, its headers, and its signature.

use bytes::Bytes;
use http::HeaderName;
use serde::Serialize;

use super::error::WebhookError;
use keyferry_store::Delivery;
use keyferry_types::secret::Secret;
use keyferry_vault::{is_signature, signature};

/// The header with the signature of the body.
pub static SIGNATURE: HeaderName = HeaderName::from_static("x-cobalt-signature");
/// The header with the delivery's id, the same in each attempt.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header with the number of the attempt, from 1.
pub static ATTEMPT: HeaderName = HeaderName::from_static("keyferry-attempt");

/// The documented body, member by member.
#[derive(Serialize)]
struct Body<'a> {
    linked_account_id: &'a str,
    org_id: &'a str,
    environment: &'a str,
    r#type: &'static str,
    event: &'static str,
    slug: &'a str,
    #[serde(rename = "createdAt")]
    created_at: String,
}

/// The body of a delivery: the same bytes in each attempt.
pub(super) fn body(delivery: &Delivery) -> Bytes {
    let body = Body {
        linked_account_id: delivery.account.as_str(),
        org_id: delivery.webhook.org.as_str(),
        environment: delivery.webhook.environment.as_str(),
        r#type: "General",
        event: delivery.event.as_str(),
        slug: delivery.slug.as_str(),
        created_at: delivery.at.to_http_date(),
    };
    // All of it is text.
    serde_json::to_vec(&body).unwrap_or_default().into()
}

/// The headers that the server sets: signature, the delivery's own id, and which attempt it is.
pub(super) fn headers(
    delivery: &Delivery,
    body: &[u8],
    secret: &Secret,
) -> Result<Vec<(HeaderName, String)>, WebhookError> {
    Ok(vec![
        (SIGNATURE.clone(), signature(secret, body)?),
        (IDEMPOTENCY_KEY.clone(), delivery.id.to_string()),
        (ATTEMPT.clone(), (delivery.attempts + 1).to_string()),
    ])
}

/// Whether a delivery was signed with this secret. `body` is the body as it arrived, `signature` the header [`SIGNATURE`]. The
/// comparison takes as long wherever the two differ.
///
/// ```
/// use keyferry_types::secret::Secret;
/// use keyferry_webhooks::verify;
///
/// let secret = Secret::new("whsec_example-0123456789");
/// let signature = "71bf8394896c23ce4056a732b4039f46e2558c88c656153921d06c49d92701c6";
/// assert!(verify(&secret, br#"{"event":"Connection Created"}"#, signature));
/// assert!(!verify(&secret, br#"{"event":"Connection Deleted"}"#, signature));
/// ```
pub fn verify(signing_secret: &Secret, body: &[u8], signature: &str) -> bool {
    is_signature(signing_secret, body, signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_store::{ConnectionEvent, ObjectId, Timestamp, WebhookKey};
    use keyferry_types::ids::Environment;

    #[test]
    fn the_body_is_the_documented_one() {
        let webhook =
            WebhookKey { org: "acme".parse().unwrap(), environment: Environment::Test, id: ObjectId::generate() };
        let at = Timestamp::from_millis(1_699_344_207_000);
        let delivery = Delivery {
            webhook,
            place: 1,
            id: ObjectId::generate(),
            event: ConnectionEvent::Created,
            account: "a/b@x.com".parse().unwrap(),
            slug: "hubspot".parse().unwrap(),
            at,
            attempts: 0,
            due: at,
        };
        let expected = r#"{"linked_account_id":"a/b@x.com","org_id":"acme","environment":"test","type":"General","event":"Connection Created","slug":"hubspot","createdAt":"Tue, 07 Nov 2023 08:03:27 GMT"}"#;
        assert_eq!(body(&delivery), expected);
    }
}
