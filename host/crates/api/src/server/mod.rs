//! Connections: accepted, bounded and drained.
//!
//! | file | answers |
//! |---|---|
//! | `accept` | how are connections accepted, and how do they end at shutdown? |
//! | `cores` | which thread serves a connection? |
//! | `connection` | how long may a client take? |
//! | `unread` | what if a response comes before its request was read? |
//! | `descriptors` | how many connections can there be? |
//! | `zeroizing_io` | what is left of a request while its connection is kept? |
//! | `readiness` | is it starting, serving or draining? |
//! | `plain_http` | what does a client see that speaks HTTP to a port with HTTPS? |
//! | `tls`, `certificate` | which certificate does a client see, and what if it is renewed or expired? |

pub(crate) mod accept;
pub(crate) mod certificate;
pub(crate) mod connection;
pub(crate) mod cores;
pub(crate) mod descriptors;
pub(crate) mod plain_http;
pub(crate) mod readiness;
pub(crate) mod tls;
pub(crate) mod unread;
pub(crate) mod zeroizing_io;
