//! Webhooks: registered as documented, told of what happens to connections, at least once whatever happens to the server.

mod bench;
mod deliveries;
mod registration;
mod safety;
