//! Requests over real sockets: servers on loopback with certificates of a throw-away authority.
//!
//! The attacks on egress, group by group; `dns`, `component`, `environment`, `abuse` and
//! `namespaces` are files of `tests/tests/security/egress/`, which drives the built binary.
//!
//! | | group | tests |
//! |---|---|---|
//! | 1 | loopback and the unspecified address | `spellings`, `address`, `component` |
//! | 2 | numbers in other bases, overflows, too many parts | `spellings`, `origin`, `component` |
//! | 3 | private, shared, special networks, first and last and their neighbours | `address`, `spellings`, `namespaces` |
//! | 4 | metadata services | `spellings`, `address`, `dns`, `namespaces` |
//! | 5 | IPv4 inside IPv6, link-local, unique local, site-local, multicast | `address` (made-up ones too), `spellings`, `dns` |
//! | 6 | `localhost`, single labels, names for inside a network, this machine's own addresses | `spellings`, `resolver`, `component`, `namespaces` |
//! | 7 | dots, empty and too long labels | `spellings`, `host_pattern`, `origin` |
//! | 8 | users, fragments, backslashes | `spellings`, `origin`, `component` |
//! | 9 | percent escapes, also of control characters, also twice | `spellings`, `origin`, `component` |
//! | 10 | other scripts, soft hyphens, joiners, look-alikes | `spellings`, `component` |
//! | 11 | suffixes and prefixes of granted names | `spellings`, `host_pattern` |
//! | 12 | ports | `spellings`, `origin`, `host_pattern` |
//! | 13 | schemes | `spellings`, `origin` |
//! | 14 | redirects | `redirects`, `responses`, `component`, `namespaces` |
//! | 15 | DNS: rebinding, mixed answers, CNAME, slow, huge, cut, forged, none; search domains | `dns`, `component`, `namespaces` |
//! | 16 | line breaks, headers that steer, floods, two lengths | `framing`, `headers` |
//! | 17 | responses that are endless, slow, huge, broken | `responses`, `abuse` |
//! | 18 | TLS | `handshakes`, `transport` |
//! | 19 | proxy variables | `environment` |
//! | 20 | Unix sockets, `/etc/hosts`, mDNS | `spellings` (schemes, `.local`), `namespaces` |
//! | 21 | storms, limits, requests given up, shutdown | `storm`, `hosts`, `breaker`, `abuse` |
//! | 22 | echoes of secrets | `echoes`, `redact`, `abuse` |
//!
//! `crossing` checks that the dialled address is the checked one, for any URL that `url` accepts.

mod crossing;
mod echoes;
mod framing;
mod guards;
mod handshakes;
mod placement;
mod redirects;
mod responses;
mod site;
mod spellings;
mod storm;
mod transport;
