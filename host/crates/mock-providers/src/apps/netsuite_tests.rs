//! Requests signed by hand from the rules of RFC 5849, and every way to make one invalid.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use ring::hmac;
use serde_json::json;

use super::*;
use crate::MockProviders;
use crate::test_client::{TestResponse, connect, request, send};

const HOST: &str = "tst-9-sb1.suitetalk.api.netsuite.com";
const NOW: u64 = 1_700_000_000;

fn account(role: NetSuiteRole) -> NetSuiteAccount {
    NetSuiteAccount {
        account_id: "TST_9_SB1".to_owned(),
        consumer_key: "ck".to_owned(),
        consumer_secret: "c/s".to_owned(),
        token_id: "ti".to_owned(),
        token_secret: "t&s".to_owned(),
        role,
    }
}

/// A client's request; each test changes one part.
#[derive(Clone)]
struct Client {
    realm: &'static str,
    consumer_key: &'static str,
    consumer_secret: &'static str,
    token: &'static str,
    token_secret: &'static str,
    method_name: &'static str,
    nonce: String,
    timestamp: u64,
    version: Option<&'static str>,
    /// The part of the base string after the version: the query, already encoded and sorted.
    signed_query: &'static str,
    target: &'static str,
}

impl Client {
    fn right(nonce: &str) -> Self {
        Self {
            realm: "TST_9_SB1",
            consumer_key: "ck",
            consumer_secret: "c/s",
            token: "ti",
            token_secret: "t&s",
            method_name: "HMAC-SHA256",
            nonce: nonce.to_owned(),
            timestamp: NOW,
            version: Some("1.0"),
            signed_query: "",
            target: CATALOG,
        }
    }

    /// Section 3.4 written out: sorted `oauth_` parameters, joined, encoded, behind method and encoded address.
    fn header(&self) -> String {
        let encode = |text: &str| {
            text.bytes()
                .map(|byte| match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
                    _ => format!("%{byte:02X}"),
                })
                .collect::<String>()
        };
        let mut parameters = format!(
            "oauth_consumer_key={}&oauth_nonce={}&oauth_signature_method={}&oauth_timestamp={}&oauth_token={}",
            self.consumer_key, self.nonce, self.method_name, self.timestamp, self.token
        );
        if let Some(version) = self.version {
            parameters += &format!("&oauth_version={version}");
        }
        parameters += self.signed_query;
        let address = format!("https://{HOST}{CATALOG}");
        let base = format!("GET&{}&{}", encode(&address), encode(&parameters));
        let key = format!("{}&{}", encode(self.consumer_secret), encode(self.token_secret));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), base.as_bytes());
        let mut header = format!(
            r#"OAuth realm="{}",oauth_consumer_key="{}",oauth_token="{}",oauth_nonce="{}",oauth_timestamp="{}",oauth_signature_method="{}",oauth_signature="{}""#,
            self.realm,
            self.consumer_key,
            self.token,
            self.nonce,
            self.timestamp,
            self.method_name,
            encode(&STANDARD.encode(tag))
        );
        if let Some(version) = self.version {
            header += &format!(r#",oauth_version="{version}""#);
        }
        header
    }
}

struct Fixture {
    _providers: MockProviders,
    sender: SendRequest<Full<Bytes>>,
    clock: Arc<AtomicU64>,
}

impl Fixture {
    async fn new(role: NetSuiteRole) -> Self {
        let clock = Arc::new(AtomicU64::new(NOW));
        let ticking = Arc::clone(&clock);
        let mut providers = MockProviders::start().await.unwrap();
        let handler = netsuite_with_clock(account(role), move || ticking.load(Ordering::Relaxed));
        let address = providers.add("*.suitetalk.api.netsuite.com", handler).await.unwrap();
        assert!(providers.resolve_flags().is_empty(), "a wildcard is no host");
        providers.resolve_to(HOST, address);
        assert_eq!(providers.resolve_flags(), [format!("{HOST}={address}")]);
        let sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
        Self { _providers: providers, sender, clock }
    }

    async fn get(&mut self, client: &Client) -> TestResponse {
        self.get_with(client.target, &client.header()).await
    }

    async fn get_with(&mut self, target: &str, header: &str) -> TestResponse {
        send(&mut self.sender, request("GET", HOST, target, &[("authorization", header)])).await.unwrap()
    }
}

fn challenge(response: &TestResponse) -> String {
    assert_eq!(response.status, 401);
    assert_eq!(response.json()["o:errorDetails"][0]["o:errorCode"], json!("INVALID_LOGIN"));
    let header = response.header("www-authenticate");
    assert!(header.starts_with(r#"OAuth realm="TST_9_SB1", error=""#), "{header}");
    header.split('"').nth(3).unwrap().to_owned()
}

#[tokio::test]
async fn accepts_a_signature_made_by_hand() {
    let mut netsuite = Fixture::new(NetSuiteRole::RestWebServices).await;
    let response = netsuite.get(&Client::right("abcdef1")).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["items"][0]["name"], json!("customer"));
    let without_version = Client { version: None, ..Client::right("abcdef2") };
    assert_eq!(netsuite.get(&without_version).await.status, 200);
}

#[tokio::test]
async fn the_query_is_part_of_what_is_signed() {
    let mut netsuite = Fixture::new(NetSuiteRole::RestWebServices).await;
    let target = "/services/rest/record/v1/metadata-catalog?select=customer%2CsalesOrder&zip=a+b";
    // Encoded once here; the header encodes the whole once more.
    let right = Client { target, signed_query: "&select=customer%2CsalesOrder&zip=a%20b", ..Client::right("abcdef1") };
    let response = netsuite.get(&right).await;
    assert_eq!(response.status, 200);
    let names: Vec<_> = response.json()["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, [json!("customer"), json!("salesOrder")]);
    let left_out = Client { target, ..Client::right("abcdef2") };
    assert_eq!(challenge(&netsuite.get(&left_out).await), "signature_invalid");
}

#[tokio::test]
async fn refuses_each_wrong_part_by_name() {
    let mut netsuite = Fixture::new(NetSuiteRole::RestWebServices).await;
    let right = Client::right("abcdef1");
    let cases = [
        (Client { realm: "TST-9-SB1", ..right.clone() }, "token_rejected"),
        (Client { realm: "", ..right.clone() }, "parameter_absent"),
        (Client { consumer_key: "other", ..right.clone() }, "consumer_key_unknown"),
        (Client { token: "other", ..right.clone() }, "token_rejected"),
        (Client { consumer_secret: "other", ..right.clone() }, "signature_invalid"),
        (Client { token_secret: "other", ..right.clone() }, "signature_invalid"),
        (Client { method_name: "HMAC-SHA1", ..right.clone() }, "signature_method_rejected"),
        (Client { version: Some("2.0"), ..right.clone() }, "version_rejected"),
        (Client { timestamp: NOW - 301, ..right.clone() }, "timestamp_refused"),
        (Client { timestamp: NOW + 301, ..right.clone() }, "timestamp_refused"),
        (Client { timestamp: 0, ..right.clone() }, "timestamp_refused"),
        (Client { nonce: "abcde".to_owned(), ..right.clone() }, "nonce_rejected"),
        (Client { nonce: "a".repeat(65), ..right.clone() }, "nonce_rejected"),
        (Client { nonce: "abc-def".to_owned(), ..right.clone() }, "nonce_rejected"),
    ];
    for (client, error) in cases {
        assert_eq!(challenge(&netsuite.get(&client).await), error);
    }
    let header = right.header();
    for (changed, error) in [
        (header.replace("oauth_signature=\"", "oauth_signature=\"A"), "signature_invalid"),
        (header.replace("oauth_nonce=\"abcdef1", "oauth_nonce=\"abcdef2"), "signature_invalid"),
        (header.replace("oauth_signature=", "oauth_other="), "parameter_absent"),
        (format!("{header},realm=\"again\""), "parameter_rejected"),
        ("Bearer x".to_owned(), "parameter_absent"),
    ] {
        assert_ne!(changed, header);
        assert_eq!(challenge(&netsuite.get_with(CATALOG, &changed).await), error, "{changed}");
    }
    assert_eq!(netsuite.get(&right).await.status, 200, "no refused request used the nonce up");
}

#[tokio::test]
async fn a_request_works_once_and_only_while_it_is_fresh() {
    let mut netsuite = Fixture::new(NetSuiteRole::RestWebServices).await;
    let client = Client::right("abcdef1");
    assert_eq!(netsuite.get(&client).await.status, 200);
    assert_eq!(challenge(&netsuite.get(&client).await), "nonce_used");
    netsuite.clock.store(NOW + 300, Ordering::Relaxed);
    assert_eq!(challenge(&netsuite.get(&client).await), "nonce_used");
    assert_eq!(netsuite.get(&Client::right("abcdef2")).await.status, 200);
    netsuite.clock.store(NOW + 301, Ordering::Relaxed);
    assert_eq!(challenge(&netsuite.get(&Client::right("abcdef3")).await), "timestamp_refused");
}

#[tokio::test]
async fn a_role_without_the_permission_is_told_so() {
    let mut netsuite = Fixture::new(NetSuiteRole::WithoutRestWebServices).await;
    let response = netsuite.get(&Client::right("abcdef1")).await;
    assert_eq!(response.status, 403);
    assert_eq!(response.json()["o:errorDetails"][0]["o:errorCode"], json!("INSUFFICIENT_PERMISSION"));
}

#[test]
fn realm_and_host_replace_every_dash_and_underscore() {
    let mut account = account(NetSuiteRole::RestWebServices);
    account.account_id = "td-1_sb-2".to_owned();
    assert_eq!(account.realm(), "TD_1_SB_2");
    assert_eq!(account.host(), "td-1-sb-2.suitetalk.api.netsuite.com");
}
