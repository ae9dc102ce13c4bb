//! Credentials in the exports of other systems: what of it is the credential, whose it is, and of which app.
//!
//! Each system has a file here, which says where its shapes are described. What they have in common: the credential's own
//! values become fields under the names that plugins usually have, and values beside it (a subdomain, a region) go along as a
//! field to spare, which an app that does not know it does without.
//!
//! | file | answers |
//! |---|---|
//! | `airbyte`, `composio`, `n8n`, `nango`, `pipedream` | how is a row of that system read? |
//! | `export` | what do readers of all systems do alike? |
//! | `values` | which values are within a row, at a path, masked? |
//! | `alias`, `alias_table`, `salesforce`, `shape` | what do other systems call a field of an app, and which of its values serve? |
//! | `slugs` | what do they call an app? |

mod airbyte;
mod alias;
mod alias_table;
mod composio;
mod export;
mod n8n;
mod nango;
mod pipedream;
mod salesforce;
mod shape;
mod slugs;
mod values;

pub(super) use airbyte::airbyte;
pub(super) use alias::{Alias, folded};
pub(super) use alias_table::{COMMON, aliases};
pub(super) use composio::composio;
pub(super) use n8n::{NO_ACCOUNT, n8n};
pub(super) use nango::nango;
pub(super) use pipedream::pipedream;
pub(crate) use slugs::usual;
