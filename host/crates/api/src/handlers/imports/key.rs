//! The import that a path names.

use crate::error::api_error::ApiError;
use crate::handlers::imports::failure::failure;
use keyferry_imports::ImportError;
use keyferry_service::Caller;
use keyferry_store::{ImportKey, ObjectId};

/// The key of the import of this id.
pub(super) fn key(caller: &Caller, id: &str) -> Result<ImportKey, ApiError> {
    Ok(ImportKey { org: caller.org.clone(), environment: caller.environment, id: object_id(id)? })
}

/// The id in a path. A malformed id is treated as unknown.
pub(super) fn object_id(text: &str) -> Result<ObjectId, ApiError> {
    text.parse().map_err(|_| failure(ImportError::Missing))
}
