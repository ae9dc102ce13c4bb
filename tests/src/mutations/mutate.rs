//! One change to a request, as a network, a broken client or an attacker causes it.

use fastrand::Rng;

use crate::or_fail::OrFail as _;

/// Words that are special to a parser.
const WORDS: [&str; 40] = [
    "GET",
    "PUT",
    "POST",
    "DELETE",
    "PATCH",
    "CONNECT",
    "HTTP/1.0",
    "HTTP/1.1",
    "HTTP/9.9",
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ",",
    "%00",
    "%2f..%2f",
    "%ff",
    "?",
    "&",
    "//",
    "\u{e9}",
    "\u{202e}",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "1e999",
    "-1",
    "18446744073709551616",
    "chunked",
    "verify=only",
    "*",
    "hubspot",
];

/// Changes a request once.
pub(super) fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let place = rng.usize(..bytes.len());
    let span = |rng: &mut Rng, bytes: &[u8]| place..(place + rng.usize(1..=16)).min(bytes.len());
    match rng.u8(..9) {
        0 => bytes[place] ^= 1 << rng.u8(..8),
        1 => bytes[place] = rng.u8(..),
        2 => bytes.truncate(place),
        3 => _ = bytes.drain(span(rng, bytes)),
        4 => {
            let again = bytes[span(rng, bytes)].to_vec();
            bytes.splice(place..place, again.repeat(rng.usize(1..=40)));
        }
        5 => _ = bytes.splice(place..place, rng.choice(WORDS).or_fail("there are words").bytes()),
        6 => {
            let word = rng.choice(WORDS).or_fail("there are words").bytes();
            bytes.splice(span(rng, bytes), word);
        }
        // Lines: removes one, or repeats one.
        choice => {
            let lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let (at, line) = (rng.usize(..lines.len()), rng.usize(..lines.len()));
            let mut changed = lines.clone();
            if choice == 7 {
                _ = changed.remove(at)
            } else {
                changed.insert(at, lines[line].clone())
            }
            *bytes = changed.concat();
        }
    }
}

/// Sets the length in the head to the length of the body, so that the server reads the changed body.
pub(super) fn fit(bytes: &mut Vec<u8>) {
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    let Some(end) = find(bytes, b"\r\n\r\n") else { return };
    let Some(length) = find(&bytes[..end], b"Content-Length: ").map(|at| at + 16) else { return };
    let digits = bytes[length..end].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let body = (bytes.len() - end - 4).to_string();
    bytes.splice(length..length + digits, body.bytes());
}
