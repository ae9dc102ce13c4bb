//! Exports of other systems, with a row for each shipped app, imported without a map of their fields.
//!
//! | file | content |
//! |---|---|
//! | `nango`, `composio`, `n8n`, `pipedream` | an export of each system |
//! | `warnings` | fields that are not stored, and apps that Keyferry does not have |
//! | `exported` | a server with all shipped apps, and the stored credentials of an export |

mod composio;
mod exported;
mod n8n;
mod nango;
mod pipedream;
mod warnings;
