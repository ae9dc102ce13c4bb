//! `GET /api/v2/public/whoami`: what the API key of the request stands for.

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::Key;
use crate::responses::KeyIdentity;
use crate::responses::json::Json;

/// For each valid key, whatever its scopes: a caller finds out with it why another request is refused.
#[utoipa::path(
    get, path = "/api/v2/public/whoami", operation_id = "whoami", tag = "API keys",
    summary = "Show the API key of the request",
    description = "The organisation and the environment that the API key selects, its scopes, and when it expires. Takes any \
        valid API key.",
    responses((status = 200, description = "The key.", body = KeyIdentity)),
    extensions(("x-problems" = json!([KEY_PROBLEMS]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(Key(key): Key) -> Json<KeyIdentity> {
    Json(KeyIdentity::new(&key))
}
