//! An OAuth provider whose refresh tokens rotate, as strict as the strictest real one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use keyferry_mock_providers::{Received, Reply};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The OAuth client that the provider knows.
pub const CLIENT_ID: &str = "client-of-acme";
/// Its secret.
pub const CLIENT_SECRET: &str = "client-secret-5b1e7c09d2";

/// What becomes of a refresh token that has been used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It stays valid, and the answer has none.
    Stays,
    /// It ends at once. A second use ends the whole family.
    SingleUse,
    /// It can be used again until the next one has been used.
    UntilNextUsed,
}

/// What one answer of the token endpoint is, instead of the right one.
#[derive(Clone)]
pub enum Fault {
    /// This answer; nothing is rotated.
    Instead(Reply),
    /// The right answer, changed on its way: the tokens have rotated.
    Changed(Arc<dyn Fn(Reply) -> Reply + Send + Sync>),
    /// The right answer, with these members changed; `null` leaves one out.
    Members(Value),
}

/// A provider. Clones are the same one.
#[derive(Clone)]
pub struct TokenEndpoint(Arc<Mutex<State>>);

struct State {
    policy: Policy,
    /// Seconds that an access token lasts.
    life: u64,
    families: BTreeMap<String, Family>,
    faults: VecDeque<Fault>,
    requests: u64,
    second_uses: u64,
    account: Account,
}

/// What the API says of the account behind an access token, by the request and the family of the token.
type Account = Arc<dyn Fn(&Received, &str) -> Value + Send + Sync>;

/// The tokens of one authorisation.
struct Family {
    generation: u64,
    /// Generations whose refresh token has been used.
    used: u64,
    is_revoked: bool,
    /// Its access token has ended; the next one has not.
    is_expired: bool,
}

impl TokenEndpoint {
    /// A provider with this policy. `account` is what its API says of the account behind an access token, by the request and the
    /// family of the token.
    pub fn new(policy: Policy, account: impl Fn(&Received, &str) -> Value + Send + Sync + 'static) -> Self {
        Self(Arc::new(Mutex::new(State {
            policy,
            life: 1800,
            families: BTreeMap::new(),
            faults: VecDeque::new(),
            requests: 0,
            second_uses: 0,
            account: Arc::new(account),
        })))
    }

    /// A pair as a user's authorisation gives it: access token and refresh token.
    pub fn authorise(&self, family: &str) -> (String, String) {
        self.0
            .lock()
            .families
            .insert(family.to_owned(), Family { generation: 0, used: 0, is_revoked: false, is_expired: false });
        (access_token(family, 0), refresh_token(family, 0))
    }

    /// Ends an authorisation, as the user can at the provider.
    pub fn revoke(&self, family: &str) {
        if let Some(family) = self.0.lock().families.get_mut(family) {
            family.is_revoked = true;
        }
    }

    /// Ends the access token of an authorisation before its time, and not its refresh token.
    pub fn expire(&self, family: &str) {
        if let Some(family) = self.0.lock().families.get_mut(family) {
            family.is_expired = true;
        }
    }

    /// Seconds that access tokens last from now on.
    pub fn set_life(&self, seconds: u64) {
        self.0.lock().life = seconds;
    }

    /// The next answer of the token endpoint is another one.
    pub fn fail_next(&self, fault: Fault) {
        self.0.lock().faults.push_back(fault);
    }

    /// Requests to the token endpoint so far.
    pub fn requests(&self) -> u64 {
        self.0.lock().requests
    }

    /// How often a refresh token was used that had ended.
    pub fn second_uses(&self) -> u64 {
        self.0.lock().second_uses
    }

    /// The pair that is valid now.
    pub fn current(&self, family: &str) -> (String, String) {
        let generation = self.0.lock().families.get(family).map_or(0, |family| family.generation);
        (access_token(family, generation), refresh_token(family, generation))
    }

    /// Replies to a request of the API or of the token endpoint.
    pub fn reply(&self, request: &Received) -> Reply {
        let mut state = self.0.lock();
        if request.method == "POST" && request.path().contains("token") {
            return state.renew(request);
        }
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let token = bearer.or_else(|| request.header("x-shopify-access-token")).unwrap_or_default();
        match state.family_of("at-", token) {
            Some((family, generation)) if state.is_current(&family, generation) => {
                Reply::json(200, &(state.account)(request, &family))
            }
            _ => Reply::json(
                401,
                &json!({"category": "EXPIRED_AUTHENTICATION", "message": "expired", "error": "invalid_token"}),
            ),
        }
    }
}

impl State {
    /// The family and generation of a token.
    fn family_of(&self, prefix: &str, token: &str) -> Option<(String, u64)> {
        let (family, generation) = token.strip_prefix(prefix)?.rsplit_once('-')?;
        self.families.contains_key(family).then_some((family.to_owned(), generation.parse().ok()?))
    }

    fn is_current(&self, family: &str, generation: u64) -> bool {
        self.families
            .get(family)
            .is_some_and(|known| !known.is_revoked && !known.is_expired && known.generation == generation)
    }

    fn renew(&mut self, request: &Received) -> Reply {
        self.requests += 1;
        let fault = self.faults.pop_front();
        if let Some(Fault::Instead(reply)) = fault {
            return reply;
        }
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        if !knows_client(request, &form) {
            return Reply::json(401, &json!({"error": "invalid_client", "error_description": "unknown client"}));
        }
        let ended =
            Reply::json(400, &json!({"error": "invalid_grant", "error_description": "the refresh token has ended"}));
        let token = form.get("refresh_token").map(String::as_str).unwrap_or_default();
        let (policy, life) = (self.policy, self.life);
        let Some((name, generation)) = self.family_of("rt-", token) else { return ended };
        let Some(family) = self.families.get_mut(&name) else { return ended };
        if family.is_revoked {
            return ended;
        }
        let is_latest = generation == family.generation || policy == Policy::Stays;
        let is_kept =
            policy == Policy::UntilNextUsed && generation + 1 == family.generation && family.used <= family.generation;
        if !is_latest && !is_kept {
            self.second_uses += 1;
            family.is_revoked = true;
            return ended;
        }
        if is_latest {
            family.used = family.generation + 1;
            family.generation += 1;
            family.is_expired = false;
        }
        let mut body = json!({
            "access_token": access_token(&name, family.generation),
            "refresh_token": refresh_token(&name, family.generation),
            "expires_in": life,
            "token_type": "bearer",
        });
        if policy == Policy::Stays {
            remove(&mut body, "refresh_token");
        }
        match fault {
            Some(Fault::Members(members)) => {
                for (name, value) in members.as_object().into_iter().flatten() {
                    match body.as_object_mut() {
                        Some(body) if !value.is_null() => _ = body.insert(name.clone(), value.clone()),
                        _ => remove(&mut body, name),
                    }
                }
                Reply::json(200, &body)
            }
            Some(Fault::Changed(change)) => change(Reply::json(200, &body)),
            Some(Fault::Instead(_)) | None => Reply::json(200, &body),
        }
    }
}

fn remove(body: &mut Value, name: &str) {
    if let Some(members) = body.as_object_mut() {
        members.remove(name);
    }
}

/// Whether the request is by the client, in the form or by Basic.
fn knows_client(request: &Received, form: &BTreeMap<String, String>) -> bool {
    use base64::Engine as _;
    let expected = base64::prelude::BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    let is_basic = request.header("authorization") == Some(&format!("Basic {expected}"));
    let field = |name: &str| form.get(name).map(String::as_str);
    is_basic || (field("client_id") == Some(CLIENT_ID) && field("client_secret") == Some(CLIENT_SECRET))
}

fn access_token(family: &str, generation: u64) -> String {
    format!("at-{family}-{generation}")
}

fn refresh_token(family: &str, generation: u64) -> String {
    format!("rt-{family}-{generation}")
}

/// A reply that comes after a while, with the tokens rotated when the request came.
pub fn late(delay: Duration) -> Fault {
    Fault::Changed(Arc::new(move |reply| reply.delayed(delay)))
}
