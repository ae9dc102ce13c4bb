//! What `wit-bindgen` makes of the contract. The path is this crate's own, so a plugin anywhere on disk finds it.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::undocumented_unsafe_blocks, reason = "generated code")]

wit_bindgen::generate!({
    path: "wit",
    world: "renewing-plugin",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "keyferry_plugin::bindings",
    generate_all,
});
