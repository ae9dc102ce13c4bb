//! The documented product's endpoints, compared with its documentation: `tests/documented/endpoints.toml` is the table.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::World;
use keyferry_tests::http::{Request, Response};
use serde::Deserialize;
use serde_json::Value;

/// The account of sessions for `as = "session"`.
const ACCOUNT: &str = "user_12345";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Case>,
    #[serde(rename = "not-served")]
    not_served: Vec<NotServed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    r#as: Sender,
    account: Option<String>,
    request: String,
    body: Option<String>,
    status: u16,
    answer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NotServed {
    what: String,
    why: String,
    requests: Vec<String>,
    status: u16,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Sender {
    Key,
    Session,
    Nobody,
    WrongKey,
    WrongToken,
}

fn table() -> Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("documented/endpoints.toml");
    toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn request(line: &str) -> Request {
    let (method, target) = line.split_once(' ').unwrap();
    Request::new(method, target)
}

async fn send(world: &World, request: Request, sender: Sender, session: Option<&str>) -> Response {
    let bearer = |token: &str| format!("Bearer {token}");
    match sender {
        Sender::Key => world.send(request).await,
        Sender::Nobody => world.send_as_it_is(request).await,
        Sender::Session => world.send_as_it_is(request.header("authorization", &bearer(session.unwrap()))).await,
        Sender::WrongKey => world.send_as_it_is(request.header("x-api-key", "tk_wrong")).await,
        Sender::WrongToken => world.send_as_it_is(request.header("authorization", "Bearer wrong")).await,
    }
}

/// Whether a response agrees with the table; the top of the table explains its placeholders.
fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(pattern), found) if pattern.starts_with('(') => {
            let (word, begins) = pattern[1..].split_once(')').unwrap();
            let text = found.as_str().unwrap_or_default();
            match word {
                "id" => text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit()),
                "time" => is_moment(text),
                "token" => text.split('.').filter(|part| !part.is_empty()).count() == 3 && text.starts_with("ey"),
                "text" => found.is_string() && text.starts_with(begins),
                "count" => found.as_u64().is_some_and(|count| count > 0),
                "any" => true,
                _ => panic!("({word}) is no word of the table"),
            }
        }
        (Value::Object(expected), Value::Object(found)) => {
            let is_open = expected.contains_key("...");
            let named = || expected.iter().filter(|(name, _)| *name != "...");
            named().all(|(name, value)| found.get(name).is_some_and(|found| fits(value, found)))
                && (is_open || named().count() == found.len())
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| fits(expected, found))
        }
        (expected, found) => expected == found,
    }
}

/// `2026-07-31T09:30:00.000Z`
fn is_moment(text: &str) -> bool {
    let shape = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
    shape.eq("0000-00-00T00:00:00.000Z".chars())
}

/// Accounts are listed by the millisecond of their creation; two of the same millisecond have no fixed order.
async fn a_new_millisecond() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let past = now();
    while now() <= past {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_documented_request_is_answered_as_documented() {
    let world = World::start().await;
    let table = table();
    assert!(table.case.len() > 50);
    let (mut session, mut wrong) = (None, Vec::new());
    for case in &table.case {
        if case.r#as == Sender::Session && session.is_none() {
            session = Some(world.session(ACCOUNT).await);
        }
        let mut request = request(&case.request);
        if let Some(account) = &case.account {
            request = request.header("linked_account_id", account);
        }
        if let Some(body) = &case.body {
            request = request.body("application/json", body.replace("$STRIPE_KEY", demo::STRIPE_SECRET_KEY));
        }
        a_new_millisecond().await;
        let answer = send(&world, request, case.r#as, session.as_deref()).await;
        let expected = serde_json::from_str(&case.answer).unwrap_or_else(|error| panic!("{}: {error}", case.about));
        if answer.status != case.status || !fits(&expected, &answer.json()) {
            wrong.push(format!(
                "{} ({}):\n{} {}\ninstead of\n{} {expected}",
                case.request,
                case.about,
                answer.status,
                answer.text(),
                case.status
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The first request of a caller shows that something is not supported; no response only looks like success.
#[tokio::test]
async fn what_is_not_served_on_purpose_is_refused_in_the_documented_shape() {
    let world = World::start().await;
    world.create_account(ACCOUNT).await;
    let session = world.session(ACCOUNT).await;
    for NotServed { what, why, requests, status } in table().not_served {
        assert!(why.ends_with('.'), "{what}");
        for line in requests {
            let is_of_session = line.contains("/v1/") && line.contains("integrate");
            let sender = if is_of_session { Sender::Session } else { Sender::Key };
            let answer = send(&world, request(&line), sender, Some(&session)).await;
            assert_eq!(answer.status, status, "{what}: {line}: {}", answer.text());
            assert_eq!(answer.json()["status_code"], status, "{what}: {line}");
        }
    }
}
