//! Which error each failure of an import becomes.

use std::time::Duration;

use http::header;

use crate::error::api_error::ApiError;
use crate::error::mapping::{store_failure, vault_failure};
use crate::error::problem;
use keyferry_imports::{ImportError, UploadError};

/// When to try again where the server is about to stop: another one may be there by then.
const RESTART: Duration = Duration::from_secs(5);

/// The response for each error of an import.
pub(super) fn failure(error: ImportError) -> ApiError {
    let message = error.to_string();
    match error {
        ImportError::Missing => ApiError::new(&problem::IMPORT_UNKNOWN, message),
        ImportError::WrongState { .. } | ImportError::Forgotten { .. } => {
            ApiError::new(&problem::IMPORT_STATE, message)
        }
        ImportError::FileKnown { import } => {
            let failure = ApiError::new(&problem::FILE_KNOWN, message);
            match format!("/api/v2/public/imports/{import}").parse() {
                Ok(known) => failure.header(header::LOCATION, known),
                Err(_) => failure,
            }
        }
        ImportError::TooMany { retry_after, .. } => {
            ApiError::new(&problem::TOO_MANY_UPLOADS, message).retry_after(Some(retry_after))
        }
        ImportError::Empty | ImportError::TooManyRows { .. } | ImportError::File(_) => {
            ApiError::new(&problem::FILE_INVALID, message)
        }
        ImportError::Upload(UploadError::Broken(_)) => ApiError::new(&problem::BODY_INCOMPLETE, message),
        ImportError::Upload(UploadError::Paused(_)) => ApiError::new(&problem::BODY_TIMEOUT, message),
        ImportError::Upload(UploadError::Stopping) => {
            ApiError::new(&problem::SERVER_STOPPING, message).retry_after(Some(RESTART))
        }
        ImportError::NotAllowed { .. } => ApiError::new(&problem::PREFERENCE_NOT_ALLOWED, message),
        ImportError::Contended => ApiError::new(&problem::CONTENDED, message).retry_after(Some(Duration::from_secs(1))),
        ImportError::Inside(_) => ApiError::internal(&error),
        ImportError::Store(error) => store_failure(error),
        ImportError::Vault(error) => vault_failure(&error),
    }
}
