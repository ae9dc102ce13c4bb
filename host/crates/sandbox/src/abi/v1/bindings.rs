//! The types that the binding generator makes of the contract, and the host's type behind a handle.

use keyferry_egress as egress;
use keyferry_types::secret::SharedSecret;

pub(super) use generated::RenewingPlugin as Plugin;
pub(super) use generated::exports::keyferry::plugin::{app as wire, renewal};
pub(super) use generated::keyferry::plugin::{clock, http, log, random, secrets};

mod generated {
    wasmtime::component::bindgen!({
        path: "../../../wit/v1",
        world: "renewing-plugin",
        imports: {
            "keyferry:plugin/http.send": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: { "keyferry:plugin/secrets.secret": super::Handle },
    });
}

/// Characters of a text for people that a plugin returns: a failure's detail, a warning, a name.
pub(super) const MAX_SENTENCE: usize = 500;

/// The value behind a plugin's handle.
#[expect(unreachable_pub, reason = "the generated module re-exports it, which asks for `pub`")]
pub struct Handle {
    pub(super) name: String,
    pub(super) value: SharedSecret,
}

/// The method of a request or a grant.
pub(super) fn method(method: http::Method) -> egress::Method {
    match method {
        http::Method::Get => egress::Method::Get,
        http::Method::Head => egress::Method::Head,
        http::Method::Post => egress::Method::Post,
        http::Method::Put => egress::Method::Put,
        http::Method::Patch => egress::Method::Patch,
        http::Method::Delete => egress::Method::Delete,
    }
}
