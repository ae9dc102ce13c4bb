//! The requests that are measured: sequential migrations on one connection, each of a linked account that has a
//! credential.

use std::net::SocketAddr;

use keyferry_mock_providers::apps::demo::STRIPE_SECRET_KEY;
use serde_json::json;

use crate::http::{Connection, Request};
use crate::or_fail::{OrFail as _, fail};

/// A connection, and the requests to send on it.
pub struct Migrations {
    connection: Connection,
    api_key: String,
    accounts: Vec<String>,
    sent: usize,
}

impl Migrations {
    /// Uses these accounts in turn.
    pub async fn open(server: SocketAddr, api_key: &str, accounts: Vec<String>) -> Self {
        let connection = Connection::open(server).await.or_fail(format_args!("connect to {server}"));
        Self { connection, api_key: api_key.to_owned(), accounts, sent: 0 }
    }

    /// Sends `count` requests. Fails the test where a response is not a success.
    pub async fn send(&mut self, count: usize) {
        let body = json!({ "slug": "stripe", "auth_object": { "keybased": { "api_key": STRIPE_SECRET_KEY } } });
        for account in self.accounts.iter().cycle().skip(self.sent % self.accounts.len().max(1)).take(count) {
            let request = Request::new("PUT", "/api/v2/public/migrate-token")
                .header("x-api-key", &self.api_key)
                .header("linked_account_id", account)
                .json(&body);
            let response = self.connection.send(request).await.or_fail("send a migration");
            if response.status != 200 || !response.text().contains("\"success\":true") {
                fail(format_args!("a migration came to {} {}", response.status, response.text()));
            }
        }
        self.sent += count;
    }
}
