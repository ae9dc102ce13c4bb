//! The functions of each stage of a migration, and the crates of functions.

/// Functions whose path begins with one of these names.
pub(super) struct Part {
    pub(super) title: &'static str,
    pub(super) names: &'static [&'static str],
}

impl Part {
    /// Whether a function belongs to it.
    pub(super) fn has(&self, function: &str) -> bool {
        let path = path(function);
        self.names.iter().any(|name| path.starts_with(name))
    }
}

const fn part(title: &'static str, names: &'static [&'static str]) -> Part {
    Part { title, names }
}

/// Stages of a migration by their functions, with all callees. None of them waits: a function that does, and
/// continues on another stack, has its calls counted for the function that wakes it.
pub(super) const STAGES: [Part; 15] = [
    part("HTTP read and parsed, on both sides", &["hyper::proto::h1::dispatch::Dispatcher<D,Bs,I,T>::poll_read"]),
    part("key", &["keyferry_api::auth::known_keys::", "keyferry_vault::api_key::", "keyferry_store::sled::api_keys::"]),
    part("account", &["keyferry_service::credential_service::CredentialService::require_account"]),
    part("body and schema", &["keyferry_api::request::body::parse", "keyferry_schema::validate::"]),
    part(
        "sandbox: instance made and dropped",
        &[
            "keyferry_sandbox::sandbox::Sandbox::store",
            "keyferry_sandbox::abi::v1::bindings::generated::PluginPre",
            "wasmtime::runtime::store::Store<keyferry_sandbox",
        ],
    ),
    part("sandbox: verdict read", &["keyferry_sandbox::abi::v1::verdict::verdict"]),
    part(
        "egress: checked and assembled",
        &["keyferry_egress::outgoing::Outgoing::", "keyferry_egress::origin::Origin::"],
    ),
    part("egress: secrets put in", &["keyferry_egress::mint::lift", "keyferry_egress::call::Call::add_secret"]),
    part("egress: sent", &["keyferry_egress::connection::Connection::"]),
    part("redaction", &["keyferry_egress::redact::Redactor::redact"]),
    part(
        "seal",
        &["keyferry_service::sealing::<impl keyferry_service::credential_service::CredentialService>::sealed"],
    ),
    part("rows read", &["keyferry_store::sled::read::"]),
    part(
        "commit: rows put together, journal, sled",
        &[
            "keyferry_store::sled::committer::Write<F,T> as",
            "keyferry_store::sled::audit_chain::link",
            "keyferry_store::sled::journal::Journal::",
            "keyferry_store::sled::view::Changes::make_visible",
        ],
    ),
    part("response", &["keyferry_api::responses::"]),
    part("log and spans", &["tracing_core::", "tracing_subscriber::", "tracing::span::", "log::"]),
];

/// The owners of instructions, without callees. The first owner that matches a function has it.
pub(super) const OWNERS: [Part; 18] = [
    part("clearing memory", &["memset", "__memset", "bzero", "explicit_bzero"]),
    part("copying and comparing memory", &["__memcpy", "__memmove", "__memcmp", "memcpy", "memmove", "memcmp", "bcmp"]),
    part(
        "allocator",
        &["mi_", "_mi_", "__rust", "__rdl", "__rg", "malloc", "free", "calloc", "realloc", "_int_", "cfree"],
    ),
    part("guest, compiled", &["0x"]),
    part("wasmtime", &["wasmtime", "cranelift"]),
    part("`core`, `alloc`, `std`", &["core::", "alloc::", "std::", "hashbrown::", "str>", "u8 ", "u64 "]),
    part("hyper and http", &["hyper", "http::", "http_body", "httparse", "httpdate", "bytes::"]),
    part("axum and tower", &["axum", "tower", "matchit"]),
    part("tokio, futures, mio", &["tokio::", "mio::", "futures", "parking_lot", "atomic_waker"]),
    part("reqwest", &["reqwest"]),
    part("rustls and ring", &["rustls", "tokio_rustls", "ring", "_aesni", "_gcm", "aes_hw", "gcm_", "webpki"]),
    part("sled and crossbeam", &["sled::", "crossbeam", "fxhash", "crc32fast"]),
    part(
        "digests and ciphers",
        &[
            "sha2",
            "hmac",
            "hkdf",
            "aes",
            "ghash",
            "polyval",
            "ctr",
            "digest",
            "cipher",
            "block_buffer",
            "universal_hash",
            "aead",
            "zeroize",
            "subtle",
            "hybrid_array",
            "sha256",
        ],
    ),
    part("JSON, MessagePack, base64, hex", &["serde", "rmp", "mut rmp", "mut serde", "itoa", "ryu", "base64", "hex"]),
    part("tracing", &["tracing", "log::", "sharded_slab", "nu_ansi_term"]),
    part("metrics and time", &["metrics", "jiff", "quanta", "governor", "dashmap", "clock_gettime", "rapidhash"]),
    part("URLs and regular expressions", &["url::", "idna", "percent", "regex", "aho", "memchr", "icu", "psl"]),
    part("Keyferry's own crates", &["keyferry"]),
];

/// Functions that allocate a block of memory, or enlarge one.
pub(super) fn is_allocation(function: &str) -> bool {
    const NAMES: [&str; 13] = [
        "__rust_alloc",
        "__rust_realloc",
        "__rustc::__rust_alloc",
        "__rustc::__rust_realloc",
        "mi_malloc",
        "mi_zalloc",
        "mi_calloc",
        "mi_realloc",
        "mi_theap_malloc",
        "mi_heap_malloc",
        "malloc",
        "calloc",
        "realloc",
    ];
    NAMES.iter().any(|name| function.starts_with(name))
}

/// The path that names the owner: of `<a::B as c::D>::e` the path of the type, but where that is any type, as in
/// `<F as c::D>::e`, that of the trait; of code that drops a value, that of the value.
fn path(function: &str) -> &str {
    let open = ['<', '&', '('];
    let function = function.trim_start_matches(open);
    let dropped = function.strip_prefix("core::ptr::drop_in_place<").map(|value| value.trim_start_matches(open));
    // `[u8]` and other types of the language belong to no crate.
    let function = dropped.filter(|value| value.contains("::")).unwrap_or(function);
    match function.split_once(" as ") {
        Some((parameter, rest))
            if parameter.len() <= 4 && parameter.starts_with(|first: char| first.is_ascii_uppercase()) =>
        {
            rest
        }
        _ => function,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_belongs_to_the_crate_whose_type_or_trait_it_is_of() {
        let owner = |function: &str| OWNERS.iter().find(|part| part.has(function)).map(|part| part.title);
        for (function, expected) in [
            ("<tokio::time::timeout::Timeout<T> as core::future::future::Future>::poll", "tokio, futures, mio"),
            ("<F as axum::handler::Handler<(M,T1),S>>::call::{{closure}}", "axum and tower"),
            (
                "core::ptr::drop_in_place<wasmtime::runtime::store::Store<keyferry_sandbox::call_state::CallState>>",
                "wasmtime",
            ),
            ("core::ptr::drop_in_place<[u8]>", "`core`, `alloc`, `std`"),
            ("__memset_avx2_unaligned_erms", "clearing memory"),
            ("__rustc::__rust_dealloc", "allocator"),
            (
                "<&mut rmp_serde::decode::Deserializer<R,C> as serde_core::de::Deserializer>::x",
                "JSON, MessagePack, base64, hex",
            ),
            ("0x00007f2a10", "guest, compiled"),
            ("keyferry_egress::client::redacted", "Keyferry's own crates"),
        ] {
            assert_eq!(owner(function), Some(expected), "{function}");
        }
    }

    #[test]
    fn freeing_a_block_is_no_allocation() {
        assert!(is_allocation("__rustc::__rust_alloc_zeroed") && is_allocation("mi_malloc_aligned"));
        assert!(!is_allocation("__rustc::__rust_dealloc") && !is_allocation("mi_free"));
    }
}
