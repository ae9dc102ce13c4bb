//! A receiver of webhooks: a mock server over TLS, registered among the mock providers, that records its calls.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyferry_mock_providers::{MockProviders, Received, Reply};
use ring::hmac;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::or_fail::{OrFail as _, fail};

/// How long to wait for a call.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a receiver responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// With this status.
    With(u16),
    /// With this status, and `Retry-After` as this.
    Busy(u16, &'static str),
    /// Never: the connection stays open.
    Never,
}

/// A receiver.
pub struct Receiver {
    host: String,
    port: u16,
    calls: UnboundedReceiver<Call>,
    answers: Arc<Mutex<VecDeque<Answers>>>,
}

/// A recorded call.
#[derive(Debug, Clone)]
pub struct Call(Received);

impl Receiver {
    /// Starts a receiver under a host name of its own, which responds with 200.
    pub async fn add(providers: &mut MockProviders, host: &str) -> Self {
        let (sender, calls) = unbounded_channel();
        let answers = Arc::new(Mutex::new(VecDeque::from([Answers::With(200)])));
        let handler = handler(sender, Arc::clone(&answers));
        let address = providers.add_async(host, handler).await.or_fail("listen for webhooks");
        Self { host: host.to_owned(), port: address.port(), calls, answers }
    }

    /// `https://HOST/PATH`
    pub fn url(&self, path: &str) -> String {
        format!("https://{}/{path}", self.host)
    }

    /// Its address on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Responds in this way from now on.
    pub fn answer(&self, answer: Answers) {
        self.answer_in_turn([answer]);
    }

    /// Responds to the next calls in these ways, and to all further ones in the last of them.
    pub fn answer_in_turn(&self, answers: impl IntoIterator<Item = Answers>) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers.into_iter().collect();
    }

    /// The next call. Fails the test where there is none.
    pub async fn call(&mut self) -> Call {
        let call = tokio::time::timeout(PATIENCE, self.calls.recv()).await;
        call.or_fail(format_args!("{} is called", self.host)).or_fail("the receiver is there")
    }

    /// The calls that were received and not taken yet.
    pub fn rest(&mut self) -> Vec<Call> {
        std::iter::from_fn(|| self.calls.try_recv().ok()).collect()
    }
}

type Pending = std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>;

fn handler(
    calls: UnboundedSender<Call>,
    answers: Arc<Mutex<VecDeque<Answers>>>,
) -> impl Fn(Received) -> Pending + Send + Sync + 'static {
    move |received| {
        let answer = {
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            let last = answers.back().copied().unwrap_or(Answers::Never);
            if answers.len() > 1 { answers.pop_front().unwrap_or(last) } else { last }
        };
        // The test may be over.
        let _gone = calls.send(Call(received));
        Box::pin(async move {
            match answer {
                // The redirect leads back to this receiver, which would record a caller that follows it.
                Answers::With(status) => {
                    Reply::text(status, "secret of the receiver").with_header("location", "/followed")
                }
                Answers::Busy(status, wait) => Reply::text(status, "busy").with_header("retry-after", wait),
                Answers::Never => std::future::pending().await,
            }
        })
    }
}

impl Call {
    /// The request, as received.
    pub fn received(&self) -> &Received {
        &self.0
    }

    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.0.header(name).unwrap_or_else(|| fail(format_args!("a call without {name}")))
    }

    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.0.body).or_fail("a call's body is JSON")
    }

    /// The event, and its linked account.
    pub fn told(&self) -> (String, String) {
        let body = self.json();
        let text = |member: &str| body.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("event"), text("linked_account_id"))
    }

    /// Whether its signature matches this secret, by an implementation other than the server's.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, &self.0.body);
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.header("x-cobalt-signature") == hex
    }
}
