//! The HTTP server that receives deliveries.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use super::delivery::{Delivery, Signature};
use super::forward::Forward;
use crate::cli::term;
use keyferry_types::secret::Secret;
use keyferry_webhooks::{ATTEMPT, IDEMPOTENCY_KEY, SIGNATURE, verify};

/// The largest body in bytes. A delivery has less than 1 KiB.
const MAX_BODY: usize = 64 * 1024;

/// What is done with a delivery.
pub(super) struct Receiver {
    pub(super) secret: Secret,
    pub(super) forward: Option<Forward>,
    /// The status to respond with, unless deliveries are sent on.
    pub(super) status: StatusCode,
    /// Where deliveries are printed.
    pub(super) deliveries: mpsc::Sender<Delivery>,
}

impl Receiver {
    /// A router that takes every request for a delivery.
    pub(super) fn router(self) -> Router {
        Router::new().fallback(receive).with_state(Arc::new(self))
    }
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> StatusCode {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else { return StatusCode::PAYLOAD_TOO_LARGE };
    let signature = match text(&head.headers, &SIGNATURE) {
        None => Signature::Missing,
        Some(signature) if verify(&receiver.secret, &body, signature) => Signature::Valid,
        Some(_) => Signature::Invalid,
    };
    let status = match &receiver.forward {
        None => receiver.status,
        Some(forward) => forward.send(&head, body.clone()).await.unwrap_or_else(|error| {
            term::warning(&format!("the delivery cannot be sent on: {error}"));
            StatusCode::BAD_GATEWAY
        }),
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let member = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let delivery = Delivery {
        received_at: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
        event: member("event"),
        linked_account_id: member("linked_account_id"),
        slug: member("slug"),
        environment: member("environment"),
        signature,
        attempt: text(&head.headers, &ATTEMPT).and_then(|attempt| attempt.parse().ok()),
        idempotency_key: text(&head.headers, &IDEMPOTENCY_KEY).map(str::to_owned),
        responded: status.as_u16(),
        body,
    };
    // The command ends: nothing is printed any more.
    let _ended = receiver.deliveries.send(delivery).await;
    status
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
