//! Maps the chains of errors of the layers below to one [`SendError`].

use std::error::Error;
use std::io;
use std::time::Duration;

use super::address::Forbidden;
use super::error::{ErrorKind, ResolveError, SendError};
use super::origin::Origin;
use super::tls;

/// Maps an error of connecting, up to the end of the handshake: no part of a request was sent.
pub(super) fn not_connected(error: &(dyn Error + 'static), origin: &Origin, connect_time: Duration) -> SendError {
    let (host, port) = (origin.host(), origin.port());
    if let Some(resolve) = find::<ResolveError>(error) {
        return match resolve {
            ResolveError::NotFound => not_found(origin),
            ResolveError::TimedOut(time) => SendError::unsent(
                ErrorKind::Timeout,
                format!("no answer to the lookup of {host} within {}", format_duration(*time)),
            ),
            ResolveError::Failed => SendError::unsent(ErrorKind::Dns, format!("getaddrinfo EAI_AGAIN {host}")),
            ResolveError::Internal => {
                let what = format!("{host} is a name for inside a network, and no such name is looked up");
                SendError::unsent(ErrorKind::Denied(what.clone()), what)
            }
        };
    }
    if find::<Forbidden>(error).is_some() {
        return forbidden(origin);
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return SendError::unsent(ErrorKind::Tls, format!("TLS with {host}: {}", tls::reason(error)));
    }
    // The innermost: the layers above wrap it in others that say no more than that.
    match chain(error).filter_map(|error| error.downcast_ref::<io::Error>()).last().map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => connect_timeout(origin, connect_time),
        Some(io::ErrorKind::ConnectionRefused) => {
            SendError::unsent(ErrorKind::Refused, format!("connect ECONNREFUSED {host}:{port}"))
        }
        Some(io::ErrorKind::UnexpectedEof) => {
            SendError::unsent(ErrorKind::Tls, format!("TLS with {host}: the server ended the handshake early"))
        }
        io => {
            let reason = io.map_or_else(|| innermost(error), |kind| kind.to_string());
            SendError::unsent(ErrorKind::Transport, format!("no connection to {host}:{port}: {reason}"))
        }
    }
}

/// There is no connection in time.
pub(super) fn connect_timeout(origin: &Origin, connect_time: Duration) -> SendError {
    let message =
        format!("no connection to {}:{} within {}", origin.host(), origin.port(), format_duration(connect_time));
    SendError::unsent(ErrorKind::Timeout, message)
}

/// Maps an error of sending a request over a connection, or of reading its response.
pub(super) fn broken_off(error: &(dyn Error + 'static), origin: &Origin) -> SendError {
    let host = origin.host();
    if let Some(error) = find::<rustls::Error>(error) {
        return SendError::sent(ErrorKind::Tls, format!("TLS with {host}: {}", tls::reason(error)));
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse_too_large) {
        return headers_too_large(origin);
    }
    SendError::sent(ErrorKind::Transport, format!("the exchange with {host} broke off: {}", innermost(error)))
}

/// The headers of a response are more than they may be.
pub(super) fn headers_too_large(origin: &Origin) -> SendError {
    let message = format!("the headers of the answer from {} are larger than allowed", origin.host());
    SendError::sent(ErrorKind::TooLarge, message)
}

/// The name does not exist, or leads to where nothing is dialled. The words are those that callers know from the
/// documented product, which asks `getaddrinfo`.
pub(super) fn not_found(origin: &Origin) -> SendError {
    SendError::unsent(ErrorKind::Dns, format!("getaddrinfo ENOTFOUND {}", origin.host()))
}

/// The host is an address that is never dialled.
pub(super) fn forbidden(origin: &Origin) -> SendError {
    let host = origin.host();
    let what = format!("{host} is an address that is never dialled (private, reserved, or this machine's own)");
    SendError::unsent(ErrorKind::Denied(what.clone()), what)
}

/// A duration for people: `10 s`, `2.5 s`, `850 ms`.
pub(super) fn format_duration(time: Duration) -> String {
    match time.as_millis() {
        ms if ms < 1000 => format!("{ms} ms"),
        ms if ms % 1000 < 50 => format!("{} s", ms / 1000),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// Every error on the way down to the cause. `io::Error` does not name the error inside it as its source.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The cause in its own words.
fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map_or_else(|| "unknown cause".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (ms, text) in
            [(0, "0 ms"), (850, "850 ms"), (1000, "1 s"), (10_000, "10 s"), (2_500, "2.5 s"), (1_049, "1 s")]
        {
            assert_eq!(format_duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let inner = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        let outer = io::Error::other(inner);
        assert_eq!(find::<rustls::Error>(&outer), Some(&rustls::Error::DecryptError));
    }
}
