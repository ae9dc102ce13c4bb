//! `/api/v2/public/imports`: many credentials in one file.
//!
//! | file | handles |
//! |---|---|
//! | `create` | a file that is sent |
//! | `options` | how it is to be read, and its rows to be dealt with |
//! | `show` | lists imports and shows one |
//! | `results` | the ledger, row by row |
//! | `events` | progress as it happens |
//! | `export` | the other way |
//! | `change` | pausing, resuming, cancelling, trying again, undoing, confirming, deleting |

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod events;
pub(crate) mod export;
mod options;
pub(crate) mod results;
pub(crate) mod show;

use std::time::Duration;

use http::header;

use crate::error::api_error::ApiError;
use crate::error::mapping::{store_failure, vault_failure};
use crate::error::problem_type as kind;
use crate::request::parameters::{self, InPath};
use keyferry_imports::{ImportError, UploadError};
use keyferry_service::Caller;
use keyferry_store::{ImportKey, ObjectId};

/// When to try again where the server is about to stop: another one may be there by then.
const RESTART: Duration = Duration::from_secs(5);

/// The import that a path names. What is no id is that of no import.
fn key(caller: &Caller, found: InPath) -> Result<ImportKey, ApiError> {
    let id = object_id(&parameters::path(found)?)?;
    Ok(ImportKey { org: caller.org.clone(), environment: caller.environment, id })
}

fn object_id(text: &str) -> Result<ObjectId, ApiError> {
    text.parse().map_err(|_| failure(ImportError::Missing))
}

fn failure(error: ImportError) -> ApiError {
    let message = error.to_string();
    match error {
        ImportError::Missing => ApiError::new(&kind::IMPORT_UNKNOWN, message),
        ImportError::WrongState { .. } | ImportError::Forgotten { .. } => ApiError::new(&kind::IMPORT_STATE, message),
        ImportError::FileKnown { import } => {
            let failure = ApiError::new(&kind::FILE_KNOWN, message);
            match format!("/api/v2/public/imports/{import}").parse() {
                Ok(known) => failure.header(header::LOCATION, known),
                Err(_) => failure,
            }
        }
        ImportError::TooMany { retry_after, .. } => {
            ApiError::new(&kind::TOO_MANY_UPLOADS, message).retry_after(Some(retry_after))
        }
        ImportError::Empty | ImportError::TooManyRows { .. } | ImportError::File(_) => {
            ApiError::new(&kind::FILE_INVALID, message)
        }
        ImportError::Upload(UploadError::Broken(_)) => ApiError::new(&kind::BODY_INCOMPLETE, message),
        ImportError::Upload(UploadError::Paused(_)) => ApiError::new(&kind::BODY_TIMEOUT, message),
        ImportError::Upload(UploadError::Stopping) => {
            ApiError::new(&kind::SERVER_STOPPING, message).retry_after(Some(RESTART))
        }
        ImportError::NotAllowed { .. } => ApiError::new(&kind::PREFERENCE_NOT_ALLOWED, message),
        ImportError::Contended => ApiError::new(&kind::CONTENDED, message).retry_after(Some(Duration::from_secs(1))),
        ImportError::Inside(_) => ApiError::internal(&error),
        ImportError::Store(error) => store_failure(error),
        ImportError::Vault(error) => vault_failure(&error),
    }
}
