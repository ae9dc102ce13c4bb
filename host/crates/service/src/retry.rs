//! Writes that lost a race with another writer.

/// An error that can say that another writer came first.
pub trait Conflict {
    /// Whether nothing was written because something else is stored than was read.
    fn is_conflict(&self) -> bool;
}

/// The maximum number of attempts of one write.
pub(super) const MAX_ATTEMPTS: usize = 8;

/// Repeats a write while another writer comes first, up to 8 attempts in all. `attempt` reads what is stored, decides, and
/// writes; the error of the last attempt is returned.
///
/// ```
/// # use std::cell::Cell;
/// use keyferry_service::{Conflict, retry_on_conflict};
///
/// #[derive(Debug, PartialEq)]
/// struct Overtaken;
///
/// impl Conflict for Overtaken {
///     fn is_conflict(&self) -> bool {
///         true
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let attempts = Cell::new(0);
/// let written = retry_on_conflict(|| async {
///     attempts.set(attempts.get() + 1);
///     if attempts.get() < 3 { Err(Overtaken) } else { Ok("written") }
/// });
/// assert_eq!(written.await, Ok("written"));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// The first error that is no conflict, or the conflict of the last attempt.
pub async fn retry_on_conflict<T, E, F>(mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: Conflict,
    F: Future<Output = Result<T, E>>,
{
    let mut attempts = 1;
    loop {
        match attempt().await {
            Err(error) if error.is_conflict() && attempts < MAX_ATTEMPTS => attempts += 1,
            done => return done,
        }
    }
}
