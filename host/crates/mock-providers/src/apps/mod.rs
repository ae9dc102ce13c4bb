//! The mock providers of four apps. Each handler goes to [`MockProviders::add`](super::MockProviders::add).
//!
//! Their replies follow the providers' own documentation and, where that is silent, responses that users have published.
//! They have only the resources that a check of credentials uses.

pub mod demo;
pub mod sample;

mod authorization;
mod hubspot;
mod netsuite;
mod nonces;
mod oauth1;
mod slack;
mod stripe;

pub use demo::demo_providers;
pub use hubspot::{HubSpotPortal, HubSpotState, HubSpotToken, hubspot};
pub use netsuite::{NetSuiteAccount, NetSuiteRole, netsuite};
pub use slack::{SlackIdentity, SlackState, SlackToken, slack};
pub use stripe::{StripeAccount, StripeKey, StripeState, stripe};
