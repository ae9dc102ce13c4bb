//! What a request says: its account, body, parameters and preferences.
//!
//! | file | answers |
//! |---|---|
//! | `account_body` | what makes a linked account, and what is too much of one? |
//! | `account_name` | which linked account does a request name? |
//! | `body` | how is a body read, and what if it is not JSON? |
//! | `oauth_client_body` | what does a request say of an OAuth client? |
//! | `parameters` | what is in a path and a query? |
//! | `prefer`, `prefer_list` | what did the caller ask for in headers? |
//! | `repeated` | what if a request says something twice? |
//! | `shown_target` | how much of a method and a path does a message repeat? |
//! | `webhook_body` | what does a request say of a webhook? |

pub(crate) mod account_body;
pub(crate) mod account_name;
pub(crate) mod body;
pub(crate) mod oauth_client_body;
pub(crate) mod parameters;
pub(crate) mod prefer;
pub(crate) mod prefer_list;
pub(crate) mod repeated;
pub(crate) mod shown_target;
pub(crate) mod webhook_body;
