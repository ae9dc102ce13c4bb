//! Work that completes even if the client disconnects.
//!
//! A caller who hangs up must not stop a migration half-way: a token that a provider has just rotated would be lost. As long as
//! the caller is there, the work is part of its request's task; only when that one is dropped does it become a task of its own.
//! Most requests therefore need no second task and no wake-up between tasks.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tracing::{Instrument as _, Span};

use crate::error::api_error::ApiError;
use keyferry_telemetry as telemetry;

/// Completes the work in the request's span and trace. Fails with `internal` if the work panicked.
///
/// The work is put into a box here and now: what it takes would otherwise be copied with each future around this one.
pub(crate) fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, ApiError>> {
    let work = AssertUnwindSafe(work).catch_unwind().boxed();
    let work = ToItsEnd { work: Some(work), span: Span::current(), runtime: Handle::current() };
    work.map(|done| done.map_err(|panic| ApiError::internal(&Panicked::new(panic.as_ref()))))
}

/// Dropped before completion, the work continues as a task.
struct ToItsEnd<T: Send + 'static> {
    work: Option<BoxFuture<'static, T>>,
    span: Span,
    runtime: Handle,
}

impl<T: Send + 'static> Future for ToItsEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let done = ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static> Drop for ToItsEnd<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            let work = self.span.in_scope(|| telemetry::in_trace(work));
            self.runtime.spawn(work.instrument(self.span.clone()));
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
