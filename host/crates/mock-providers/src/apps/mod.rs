//! The mock providers of four apps. Each handler goes to [`ProviderWorld::add`](super::ProviderWorld::add).
//!
//! What they answer follows the providers' own documentation and, where that is silent, answers that their users
//! have published; only what a check of credentials touches is there.

pub mod demo;

mod answers;
mod hubspot;
mod netsuite;
mod nonces;
mod oauth1;
mod slack;
mod stripe;

pub use demo::demo_world;
pub use hubspot::{HubSpotPortal, HubSpotState, HubSpotToken, hubspot};
pub use netsuite::{NetSuiteAccount, NetSuiteRole, netsuite};
pub use slack::{SlackIdentity, SlackState, SlackToken, slack};
pub use stripe::{StripeAccount, StripeKey, StripeState, stripe};
