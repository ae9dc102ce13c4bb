//! [`RequestContext`]: which request the work of a task is about, for the lines of the log. A span of `tracing` would say the same
//! and be entered and left each time that the task is polled.

use std::sync::{Arc, OnceLock};

use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    static CURRENT: Arc<RequestContext>;
}

/// A request under way: its id and, once they are known, its trace and its caller.
#[derive(Debug)]
pub struct RequestContext {
    id: Box<str>,
    trace: Option<String>,
    caller: OnceLock<RequestCaller>,
}

/// The caller of a request.
#[derive(Debug)]
pub struct RequestCaller {
    /// The organisation.
    pub org: Box<str>,
    /// The API key as it is shown.
    pub key: Box<str>,
    /// The session of a front end.
    pub session: Option<Box<str>>,
}

impl RequestContext {
    /// A request of this id.
    pub fn new(id: &str, trace: Option<String>) -> Arc<Self> {
        Arc::new(Self { id: id.into(), trace, caller: OnceLock::new() })
    }

    /// The request that the running task works on.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Calls a function with the request that the running task works on.
    pub fn with_current<T>(read: impl FnOnce(&Self) -> T) -> Option<T> {
        CURRENT.try_with(|request| read(request)).ok()
    }

    /// Work for this request.
    pub fn scope<F: Future>(self: Arc<Self>, work: F) -> TaskLocalFuture<Arc<Self>, F> {
        CURRENT.scope(self, work)
    }

    /// The same, for a function.
    pub fn sync_scope<T>(self: Arc<Self>, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }

    /// Names the caller, which is known once.
    pub fn name_caller(&self, caller: RequestCaller) {
        let _ = self.caller.set(caller);
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The trace.
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// The caller.
    pub fn caller(&self) -> Option<&RequestCaller> {
        self.caller.get()
    }
}
