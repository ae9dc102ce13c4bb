//! Requests over real sockets: servers on loopback with certificates of a throw-away authority.

mod answers;
mod guards;
mod placement;
mod site;
mod transport;
