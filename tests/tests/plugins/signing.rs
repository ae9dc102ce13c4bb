//! Keyferry's signatures, verified by independent implementations: OAuth 1.0a by oauthlib as the server, SigV4 by
//! botocore, JSON Web Tokens by PyJWT. Every request passes a plugin, the sandbox and TLS, and is verified as received.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::{World, WorldOptions, plugins, tools};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Random requests for each scheme, besides the table.
const MADE_UP: usize = 60;
/// Characters that encodings treat differently, and some that they do not.
const CHARACTERS: &str = r"[a-zA-Z0-9 ~!*'()+&=%/?#:;@,._$|<>\[\]{}^é日-]{0,12}";

/// The verifier's process.
struct Judge {
    child: Child,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Judge {
    fn start() -> Option<Self> {
        let python = tools::signing()?.join("python");
        let mut command = Command::new(python);
        command.arg(tools::signing_folder().join("verifier.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("start the verifier");
        let (say, hear) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, say, hear })
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.say, "{question}").expect("write to the verifier");
        let mut line = String::new();
        self.hear.read_line(&mut line).expect("read from the verifier");
        serde_json::from_str(&line).expect("the verifier ended; its output is above")
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A world whose one app signs any request, and whose mock provider has the verifier check each request.
struct Signing {
    world: World,
    judge: Arc<Mutex<Judge>>,
    /// The scheme, and the provider's keys.
    known: Arc<Mutex<Value>>,
}

impl Signing {
    async fn start() -> Option<Self> {
        let judge = Arc::new(Mutex::new(Judge::start()?));
        let known = Arc::new(Mutex::new(Value::Null));
        let mut providers = MockProviders::start().await.unwrap();
        let (judging, knowing) = (Arc::clone(&judge), Arc::clone(&known));
        let handler = move |request: Received| {
            let mut question = knowing.lock().unwrap().clone();
            question["url"] = json!(format!("https://{}{}", request.host, request.path_and_query));
            question["method"] = json!(request.method);
            question["headers"] = json!(request.headers);
            question["body"] = json!(String::from_utf8(request.body).unwrap());
            let answer = judging.lock().unwrap().ask(&question);
            Reply::json(if answer["problem"].is_null() { 200 } else { 401 }, &answer)
        };
        let mut hosts = vec!["signer.example".to_owned()];
        hosts.extend(NETSUITE_ACCOUNTS.map(|(_, host)| format!("{host}.suitetalk.api.netsuite.com")));
        for host in hosts {
            providers.add(&host, handler.clone()).await.unwrap();
        }
        let world = World::start_with(WorldOptions {
            providers: Some(providers),
            server: Some(Box::new(|server| plugins::build("signer", &server.plugins))),
        })
        .await;
        Some(Self { world, judge, known })
    }

    /// The verifier's result for the request: `None`, or the error.
    async fn judged(&self, slug: &str, credential: Value, known: Value) -> Option<String> {
        *self.known.lock().unwrap() = known;
        let request = self.world.migrate_request(&json!({ "slug": slug, "auth_object": credential }));
        let answer = self.world.send(request.header("prefer", "verify=only")).await;
        let body = answer.json();
        let outcome = body["outcome"].as_str().unwrap_or_default();
        assert!(["verified", "rejected"].contains(&outcome), "no verdict on {credential}: {} {body}", answer.status);
        (outcome == "rejected").then(|| body["detail"].to_string())
    }
}

const NETSUITE_ACCOUNTS: [(&str, &str); 3] =
    [("1234567_SB1", "1234567-sb1"), ("tstdrv123-sb1", "tstdrv123-sb1"), ("acct_a_b_c", "acct-a-b-c")];

/// A request, as the fields of the plugin that sends it.
fn request(method: &str, path: &[&str], query: &[(&str, &str)], form: &[(&str, &str)]) -> Value {
    let texts = |list: Value| list.to_string();
    json!({ "method": method, "path": texts(json!(path)), "query": texts(json!(query)), "form": texts(json!(form)) })
}

/// Requests that encodings treat differently.
fn awkward() -> Vec<Value> {
    let mut requests = vec![
        request("GET", &["v1", "me"], &[], &[]),
        request("GET", &["a b", "c+d", "e%2Ff", "~x", "é"], &[("q", "a b"), ("q", "a+b"), ("Q", "")], &[]),
        request("GET", &["x"], &[("b", "2"), ("a", "2"), ("a", "1"), ("a!", "*'()"), ("a b", "%")], &[]),
        request("POST", &["form"], &[("q", "1")], &[("z", "é ~"), ("a", "1&b=2"), ("a", "0"), ("q", "1")]),
        request("PUT", &["p", "q"], &[("=", "&")], &[]),
        request("DELETE", &["list", ""], &[("empty", "")], &[]),
    ];
    let mut json_body = request("POST", &["json"], &[("q", "1")], &[]);
    json_body["json"] = json!(r#"{"a":"ü & 1=2"}"#);
    requests.push(json_body);
    requests
}

fn made_up() -> Vec<Value> {
    let mut runner = TestRunner::deterministic();
    let pairs = || prop::collection::vec((CHARACTERS, CHARACTERS), 0..5);
    // A segment `.` or `..` has a special meaning.
    let segment = CHARACTERS.prop_filter("a step in the path", |text| text.trim_matches('.').len() == text.len());
    let strategy = (prop::bool::ANY, prop::collection::vec(segment, 1..4), pairs(), pairs());
    let mut sample = || {
        let (posts, path, query, form) = strategy.new_tree(&mut runner).unwrap().current();
        let form = if posts { form } else { Vec::new() };
        json!({
            "method": if posts { "POST" } else { "GET" },
            "path": json!(path).to_string(), "query": json!(query).to_string(), "form": json!(form).to_string(),
        })
    };
    (0..MADE_UP).map(|_| sample()).collect()
}

fn with(mut request: Value, more: &Value) -> Value {
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

#[tokio::test]
async fn oauth1_signatures_are_what_oauthlib_expects_of_a_client() {
    let Some(signing) = Signing::start().await else { return };
    let keys = json!({
        "consumer_key": "ck", "consumer_secret": "c&s%=é+/", "token": "t k~", "token_secret": "t+s&/=",
    });
    let known = |realm: Value| json!({ "scheme": "oauth1", "known": keys, "realm": realm });
    for (i, sent) in awkward().into_iter().chain(made_up()).enumerate() {
        let realm = if i % 2 == 0 { json!("1234567_SB1") } else { Value::Null };
        let mut credential = with(sent.clone(), &keys);
        if !realm.is_null() {
            credential["realm"] = realm.clone();
        }
        let problem = signing.judged("signer", json!({ "oauth1": credential }), known(realm)).await;
        assert_eq!(problem, None, "{sent}");
    }
    // The verifier does refuse: each of the four, and a wrong realm.
    for name in ["consumer_key", "consumer_secret", "token", "token_secret"] {
        let mut credential = with(request("GET", &["v1"], &[], &[]), &keys);
        credential[name] = json!("other");
        let problem = signing.judged("signer", json!({ "oauth1": credential }), known(Value::Null)).await;
        assert!(problem.unwrap().contains("oauthlib refuses it"), "{name}");
    }
    let mut credential = with(request("GET", &["v1"], &[], &[]), &keys);
    credential["realm"] = json!("OTHER");
    let problem = signing.judged("signer", json!({ "oauth1": credential }), known(json!("MINE"))).await;
    assert!(problem.unwrap().contains("'realm': False"));

    // NetSuite's own plugin derives realm and host from the account id.
    for (account, _) in NETSUITE_ACCOUNTS {
        let credential = json!({
            "account_id": account, "consumer_key": "ck", "consumer_secret": "c&s%=é+/", "token_id": "t k~",
            "token_secret": "t+s&/=",
        });
        let realm = json!(account.to_uppercase().replace('-', "_"));
        let problem = signing.judged("netsuite", json!({ "keybased": credential }), known(realm)).await;
        assert_eq!(problem, None, "{account}");
    }
}

#[tokio::test]
async fn sigv4_signatures_are_those_that_botocore_makes() {
    let Some(signing) = Signing::start().await else { return };
    let scopes =
        [("us-east-1", "sts", None), ("cn-north-1", "execute-api", Some("tok/en+==")), ("eu-west-1", "s3", None)];
    for (i, sent) in awkward().into_iter().chain(made_up()).enumerate() {
        let (region, service, token) = scopes[i % scopes.len()];
        let mut keys = json!({
            "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalr/XUtn+FEMI=é", "region": region,
            "service": service,
        });
        let known = with(keys.clone(), &json!({ "session_token": token }));
        if let Some(token) = token {
            keys["session_token"] = json!(token);
        }
        let headers = json!([["x-amz-target", "a   b"], ["x-other", "1"]]).to_string();
        let credential = with(with(sent.clone(), &keys), &json!({ "headers": headers }));
        let known = json!({ "scheme": "sigv4", "known": known });
        assert_eq!(signing.judged("signer", json!({ "sigv4": credential }), known).await, None, "{service} {sent}");
    }
    let keys =
        json!({ "access_key_id": "AKIA1", "secret_access_key": "not-mine", "region": "us-east-1", "service": "sts" });
    let known = with(keys.clone(), &json!({ "session_token": null, "secret_access_key": "mine" }));
    let credential = with(request("GET", &["v1"], &[], &[]), &keys);
    let known = json!({ "scheme": "sigv4", "known": known });
    let problem = signing.judged("signer", json!({ "sigv4": credential }), known).await;
    assert!(problem.unwrap().contains("botocore signs this with another signature"));
}

#[tokio::test]
async fn json_web_tokens_are_accepted_by_pyjwt() {
    let Some(signing) = Signing::start().await else { return };
    let keys = signing.judge.lock().unwrap().ask(&json!({ "do": "keys" }));
    for scheme in ["rs256", "es256"] {
        for (i, key) in keys[scheme].as_array().unwrap().iter().enumerate() {
            for note in ["plain", "é \"quoted\" \\ 日本 \n"] {
                let sent = json!({ "method": "POST", "kid": "\"k/1\"", "note": json!(note).to_string(), "key": key });
                let known = json!({ "scheme": scheme, "known": { "kid": "k/1", "note": note } });
                let problem = signing.judged("signer", json!({ scheme: sent }), known).await;
                assert_eq!(problem, None, "{scheme} key {i}");
            }
        }
    }
    // A different key signs as well, and is rejected.
    let sent = json!({
        "method": "POST", "kid": "\"k\"", "note": "\"n\"",
        "key": include_str!("../../../host/crates/devkit/src/cases/test_rsa_key.pem"),
    });
    let known = json!({ "scheme": "rs256", "known": { "kid": "k", "note": "n" } });
    let problem = signing.judged("signer", json!({ "rs256": sent }), known).await;
    assert!(problem.unwrap().contains("InvalidSignatureError"));
}
