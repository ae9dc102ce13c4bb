//! Work that completes even if its request is dropped.
//!
//! A migration must not stop half-way: a token that a provider has just rotated would be lost. The server does not drop a request when
//! its client disconnects, but at its own end it may, and so may what else calls the router. As long as the request is there, the work
//! is part of its task; only when that one is dropped does it become a task of its own.
//! Most requests therefore need no second task and no wake-up between tasks.
//!
//! On the runtime of a core, work becomes a task of its own also when a plugin computes for long: the other requests of that core would
//! wait for it, and the runtime that all share has threads to spare.

use std::any::Any;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::{Instrument as _, Span};

use crate::error::api_error::ApiError;
use crate::middleware::request_context::RequestContext;
use crate::server::cores;
use keyferry_sandbox::took_long;
use keyferry_telemetry as telemetry;

/// Completes the work as part of its request and trace. Fails with `internal` if the work panicked.
///
/// The work is put into a box here and now: what it takes would otherwise be copied with each future around this one.
pub(crate) fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, ApiError>> {
    let work = AssertUnwindSafe(work).catch_unwind().boxed();
    let work = ToItsEnd {
        work: Work::Here(work),
        span: Span::current(),
        request: RequestContext::current(),
        shared: cores::shared_runtime(),
    };
    work.map(|done| done.map_err(|panic| ApiError::internal(&Panicked::new(panic.as_ref()))))
}

type Caught<T> = Result<T, Box<dyn Any + Send>>;

/// Dropped before completion, the work continues as a task.
struct ToItsEnd<T: Send + 'static> {
    work: Work<T>,
    span: Span,
    request: Option<Arc<RequestContext>>,
    shared: Handle,
}

enum Work<T> {
    /// Part of the request's task.
    Here(BoxFuture<'static, Caught<T>>),
    /// A task of its own.
    There(JoinHandle<Caught<T>>),
    Over,
}

impl<T: Send + 'static> ToItsEnd<T> {
    /// Makes the work a task of the shared runtime, if it is not over.
    fn leave(&mut self) {
        let Work::Here(work) = mem::replace(&mut self.work, Work::Over) else { return };
        let work = self.span.in_scope(|| telemetry::in_trace(work)).instrument(self.span.clone());
        self.work = Work::There(match self.request.take() {
            Some(request) => self.shared.spawn(request.scope(work)),
            None => self.shared.spawn(work),
        });
    }
}

impl<T: Send + 'static> Future for ToItsEnd<T> {
    type Output = Caught<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Caught<T>> {
        let this = &mut *self;
        loop {
            match &mut this.work {
                Work::Here(work) => {
                    let _former = took_long();
                    let polled = work.as_mut().poll(cx);
                    if polled.is_ready() {
                        this.work = Work::Over;
                        return polled;
                    }
                    if !(took_long() && cores::is_core()) {
                        return Poll::Pending;
                    }
                    this.leave();
                }
                Work::There(task) => {
                    let done = ready!(Pin::new(task).poll(cx));
                    this.work = Work::Over;
                    // Work that panics is caught, so its runtime has ended before it.
                    return Poll::Ready(done.unwrap_or_else(|error| Err(Box::new(error.to_string()))));
                }
                Work::Over => return Poll::Pending,
            }
        }
    }
}

impl<T: Send + 'static> Drop for ToItsEnd<T> {
    fn drop(&mut self) {
        // A task of its own continues, whether it is waited for or not.
        if matches!(self.work, Work::Here(_)) {
            self.leave();
        }
    }
}

/// The work panicked.
#[derive(Debug, thiserror::Error)]
#[error("it panicked: {0}")]
struct Panicked(String);

impl Panicked {
    fn new(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Self(
            text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it did not say why".to_owned()),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_somebody_waits_for_is_no_task_of_its_own() {
        let task = tokio::spawn(async { (tokio::task::id(), to_its_end(async { tokio::task::id() }).await.ok()) });
        let (outer, inner) = task.await.unwrap();
        assert_eq!(inner, Some(outer));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_goes_on() {
        let (go, gone) = oneshot::channel();
        let (done, told) = oneshot::channel();
        let work = to_its_end(async move {
            gone.await.unwrap();
            done.send(()).unwrap();
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err(), "it waits, and is dropped here");
        go.send(()).unwrap();
        told.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_and_not_its_request() {
        assert!(to_its_end(async { panic!("no") }).await.map(|(): ()| ()).is_err());
        let panic = std::panic::catch_unwind(|| panic!("{}", 7)).unwrap_err();
        assert_eq!(Panicked::new(panic.as_ref()).to_string(), "it panicked: 7");
    }
}
