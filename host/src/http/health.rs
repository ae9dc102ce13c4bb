//! `/livez` and `/readyz`: whether to restart the process, whether to send it requests.

use std::sync::atomic::{AtomicU8, Ordering};

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

use super::failure::json;
use super::routes::Api;
use crate::store::StoreHealth;

/// Where the server is in its life.
#[derive(Debug, Default)]
pub struct Readiness(AtomicU8);

impl Readiness {
    const SERVING: u8 = 1;
    const DRAINING: u8 = 2;

    /// Requests may come.
    pub fn set_serving(&self) {
        self.0.store(Self::SERVING, Ordering::Release);
    }

    /// No more requests should come; those that do are still served.
    pub fn set_draining(&self) {
        self.0.store(Self::DRAINING, Ordering::Release);
    }

    fn obstacle(&self) -> Option<&'static str> {
        match self.0.load(Ordering::Acquire) {
            Self::SERVING => None,
            Self::DRAINING => Some("shutting down"),
            _ => Some("starting"),
        }
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    obstacles: Vec<String>,
}

/// The process runs.
pub(super) async fn livez() -> Response {
    json(StatusCode::OK, &Health { status: "ok", obstacles: Vec::new() })
}

/// It can take requests: it is not shutting down, and the store takes writes.
pub(super) async fn readyz(State(api): State<Arc<Api>>) -> Response {
    let mut obstacles: Vec<String> = api.readiness.obstacle().map(str::to_owned).into_iter().collect();
    match api.store.health() {
        StoreHealth::Ready => {}
        StoreHealth::NoSpace { free, needed } => {
            obstacles.push(format!("the disk has {free} bytes free, and {needed} are needed to write safely"));
        }
        StoreHealth::Failed(reason) => obstacles.push(format!("the store failed: {reason}")),
    }
    if obstacles.is_empty() {
        json(StatusCode::OK, &Health { status: "ready", obstacles })
    } else {
        json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not ready", obstacles })
    }
}
