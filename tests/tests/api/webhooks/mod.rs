//! Webhooks: registered as documented, notified of changes to connections, at least once even if the server crashes.

mod bench;
mod deliveries;
mod listen;
mod registration;
mod safety;
