//! Errors of the API, each defined once and rendered in two forms.
//!
//! | file | answers |
//! |---|---|
//! | `problem` | which errors are there: status, code, title? |
//! | `api_error` | what does a handler fail with? |
//! | `rendering` | what does an error look like, in the documented form and as an RFC 9457 problem? |
//! | `mapping` | which error does each failure of the service, the store and the vault become? |
//! | `routing` | what if there is no such path, or it does not take the method? |

pub(crate) mod api_error;
pub(crate) mod mapping;
pub(crate) mod problem;
pub(crate) mod rendering;
pub(crate) mod routing;
