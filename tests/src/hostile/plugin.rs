//! Hostile plugins: a core module in text, any part of which a test can replace, made into a component.

use std::sync::OnceLock;

use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::abi::{Contract, Memory};
use crate::or_fail::OrFail as _;

/// The address of the module's own data; the bytes below are not used.
const DATA: u32 = 1024;
/// Bytes of a page.
const PAGE: u32 = 65_536;

/// A good plugin: it describes itself and returns `verified` for every credential. A test can replace each part with
/// a bad one, in WebAssembly text.
///
/// In the texts there are `$log`, `$now`, `$random`, `$send`, `$secret_name` and `$drop_secret` from the host,
/// `$realloc`, the addresses `$VERDICT`, `$REQUEST` and `$FREE` (64 KiB that nothing else uses), and in `verify` the
/// parameters `$auth`,
/// `$auth_len`, `$fields`, `$fields_len`.
pub(super) struct Plugin {
    pub(super) slug: String,
    /// The result of `describe`.
    pub(super) description: Value,
    /// The result of `verify`.
    pub(super) verdict: Value,
    /// A request for `$send`.
    pub(super) request: Value,
    /// Replaces the return of the description's address.
    pub(super) describe: String,
    /// Replaces the return of the verdict's address.
    pub(super) verify: String,
    /// Replaces the allocation of the next free bytes. Its parameters are `$old $old_len $align $len`.
    pub(super) realloc: String,
    /// Further definitions of the module.
    pub(super) items: String,
    /// Runs after the host has read the result of `verify`, at the address `$answer`.
    pub(super) post_return: Option<String>,
    /// The memory's limits in pages, in text. Empty means as large as needed.
    pub(super) memory: Option<String>,
}

impl Plugin {
    /// A good plugin of that slug: one auth type `keybased` with one secret field `api_key`.
    pub(super) fn new(slug: &str) -> Self {
        Self {
            slug: slug.to_owned(),
            description: description(slug),
            verdict: json!({"ok": {"account-id": "1"}}),
            request: json!({"method": "get", "origin": "https://api.example.com", "body": "empty"}),
            describe: "(global.get $DESCRIPTION)".to_owned(),
            verify: "(global.get $VERDICT)".to_owned(),
            realloc: "(local.set $at (i32.and (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
                                   (i32.sub (i32.const 0) (local.get $align))))
                (global.set $heap (i32.add (local.get $at) (local.get $len)))
                (local.get $at)"
                .to_owned(),
            items: String::new(),
            post_return: None,
            memory: None,
        }
    }

    /// The module in text.
    fn text(&self) -> String {
        let contract = contract();
        let mut memory = Memory::at(DATA);
        let description = contract.result(&mut memory, "describe", &self.description);
        let verdict = contract.result(&mut memory, "verify", &self.verdict);
        let request = contract.request(&mut memory, &self.request);
        let free = memory.end().next_multiple_of(PAGE);
        let heap = free + PAGE;
        let pages = self.memory.clone().unwrap_or_else(|| (heap / PAGE + 20).to_string());
        let Self { slug: _, describe, verify, realloc, items, .. } = self;
        let post_return = self.post_return.as_ref().map_or_else(String::new, |body| {
            format!("(func (export \"cabi_post_keyferry:plugin/app@1.1.0#verify\") (param $answer i32) {body})")
        });
        format!(
            "(module
              (import \"keyferry:plugin/log@1.1.0\" \"write\" (func $log (param i32 i32 i32)))
              (import \"keyferry:plugin/clock@1.1.0\" \"now\" (func $now (result i64)))
              (import \"keyferry:plugin/random@1.1.0\" \"bytes\" (func $random (param i32 i32)))
              (import \"keyferry:plugin/http@1.1.0\" \"send\" (func $send (param i32 i32)))
              (import \"keyferry:plugin/secrets@1.1.0\" \"[method]secret.name\" (func $secret_name (param i32 i32)))
              (import \"keyferry:plugin/secrets@1.1.0\" \"[resource-drop]secret\" (func $drop_secret (param i32)))
              (memory (export \"memory\") {pages})
              (global $DESCRIPTION i32 (i32.const {description}))
              (global $VERDICT i32 (i32.const {verdict}))
              (global $REQUEST i32 (i32.const {request}))
              (global $FREE i32 (i32.const {free}))
              (global $heap (mut i32) (i32.const {heap}))
              {}
              {items}
              (func $realloc (export \"cabi_realloc\") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32)
                (result i32) (local $at i32) {realloc})
              (func (export \"keyferry:plugin/app@1.1.0#describe\") (result i32) (local $i i32) (local $j i32) {describe})
              (func (export \"keyferry:plugin/app@1.1.0#verify\") (param $auth i32) (param $auth_len i32) (param $fields i32)
                (param $fields_len i32) (result i32) (local $i i32) (local $j i32) (local $handle i32) {verify})
              {post_return})",
            memory.segment(),
        )
    }

    /// The component.
    pub(super) fn build(&self) -> Vec<u8> {
        let name = &self.slug;
        let mut module = wat::parse_str(self.text()).or_fail(format_args!("assemble {name}"));
        let contract = contract();
        embed_component_metadata(&mut module, &contract.resolve, contract.world, StringEncoding::UTF8)
            .or_fail(format_args!("embed the contract into {name}"));
        // The server does these checks here, not the encoder.
        let encoded =
            ComponentEncoder::default().validate(false).module(&module).and_then(|mut encoder| encoder.encode());
        encoded.or_fail(format_args!("make a component of {name}"))
    }

    /// The component with another one inside, which it instantiates. So the result has any feature of a component, and
    /// is still a plugin.
    pub(super) fn build_with(&self, inner: &str) -> Vec<u8> {
        let mut component = self.build();
        let inner = wat::parse_str(inner).or_fail(format_args!("assemble what {} has inside", self.slug));
        let index = components_in(&component);
        section(&mut component, 4, &inner);
        // One instance (0x00: instantiate) of the component of that index, without arguments.
        section(&mut component, 5, &[1, 0, index, 0]);
        component
    }
}

/// A good description.
pub(super) fn description(slug: &str) -> Value {
    json!({
        "slug": slug, "name": "Hostile", "docs": "https://hostile.example.com/docs",
        "grants": [{"host": "api.example.com", "methods": ["get"], "path-prefix": "/"}],
        "auth-types": [{"name": "keybased", "label": "Key", "fields": [field("api_key")]}],
    })
}

/// A good field: secret and required.
pub(super) fn field(name: &str) -> Value {
    json!({"name": name, "label": "API key", "kind": "text", "secret": true, "required": true})
}

fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(Contract::read)
}

/// The number of components directly inside a component.
fn components_in(component: &[u8]) -> u8 {
    let mut depth = 0_usize;
    let mut found = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        match payload.or_fail("read a component") {
            wasmparser::Payload::ModuleSection { .. } => depth += 1,
            wasmparser::Payload::ComponentSection { .. } => {
                found += u8::from(depth == 0);
                depth += 1;
            }
            wasmparser::Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

/// Appends a section.
fn section(component: &mut Vec<u8>, id: u8, content: &[u8]) {
    component.push(id);
    component.extend(leb128(content.len()));
    component.extend_from_slice(content);
}

/// A length, as WebAssembly writes it.
pub(super) fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7F).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
