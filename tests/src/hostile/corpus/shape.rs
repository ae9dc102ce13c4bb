//! Files that are not components, not plugins, or plugins of another kind.

use super::super::{Expect, Hostile, hostile};
use crate::or_fail::OrFail as _;

pub(super) fn all() -> Vec<Hostile> {
    let parse = |text: &str| wat::parse_str(text).or_fail("assemble a component");
    let app = "(instance $i) (export \"keyferry:plugin/app@1.0.0\" (instance $i))";
    let mut all = vec![
        hostile("empty-file", "to be nothing", Expect::Refused("not WebAssembly"), |_| Vec::new()),
        hostile("bad-magic", "to be something else", Expect::Refused("not WebAssembly"), |_| {
            b"MZ\x90\0 a program".to_vec()
        }),
        hostile(
            "bad-version",
            "to be of a binary format that is not there yet",
            Expect::Refused("not WebAssembly"),
            |_| b"\0asm\xff\xff\x01\0".to_vec(),
        ),
        hostile("truncated", "to end in the middle", Expect::Refused("not WebAssembly"), |plugin| {
            let whole = plugin.build();
            whole.get(..whole.len() / 2).unwrap_or_default().to_vec()
        }),
        hostile(
            "lying-section",
            "to have a section of 4 GiB in a file of some bytes",
            Expect::Refused("not WebAssembly"),
            |plugin| [plugin.build(), vec![4, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]].concat(),
        ),
        hostile(
            "ill-typed",
            "to have code that a type checker has to stop",
            Expect::Refused("does not compile"),
            |plugin| plugin.build_with(&super::hoard::module_inside("(func (result i32) (i64.const 1))")),
        ),
    ];
    let texts: [(&'static str, &'static str, Expect, String); 9] = [
        (
            "core-module",
            "to be a module without an interface",
            Expect::Refused("a core module, not a component"),
            "(module)".into(),
        ),
        (
            "unknown-import",
            "to reach a host function that no plugin has",
            Expect::Refused("it imports `wasi:http/types@0.2.6`"),
            format!("(component (import \"wasi:http/types@0.2.6\" (instance)) {app})"),
        ),
        (
            "unknown-interface",
            "to reach an interface that is not in the contract",
            Expect::Refused("it imports `keyferry:plugin/files@1.0.0`"),
            format!("(component (import \"keyferry:plugin/files@1.0.0\" (instance)) {app})"),
        ),
        (
            "wasi",
            "to have files, variables and sockets",
            Expect::Waits("needs-wasi", "it imports WASI"),
            format!("(component (import \"wasi:filesystem/preopens@0.2.6\" (instance)) {app})"),
        ),
        (
            "no-export",
            "to be a component without a function to call",
            Expect::Refused("it exports no `keyferry:plugin/app@1`"),
            "(component)".into(),
        ),
        (
            "other-contract",
            "to speak a contract that is not there yet",
            Expect::Refused("built for version 2.0.0"),
            "(component (instance $i) (export \"keyferry:plugin/app@2.0.0\" (instance $i)))".into(),
        ),
        (
            "empty-app",
            "to export an interface without functions",
            Expect::Refused("does not fit the plugin contract"),
            format!("(component {app})"),
        ),
        (
            "wrong-signature",
            "to return a string in place of a description",
            Expect::Refused("expected `record` found `string`"),
            "(component
            (core module $m (memory (export \"m\") 1) (func (export \"f\") (result i32) i32.const 0))
            (core instance $c (instantiate $m))
            (alias core export $c \"m\" (core memory $m2))
            (alias core export $c \"f\" (core func $f))
            (func $describe (result string) (canon lift (core func $f) (memory $m2)))
            (instance $i (export \"describe\" (func $describe)) (export \"verify\" (func $describe)))
            (export \"keyferry:plugin/app@1.0.0\" (instance $i)))"
                .into(),
        ),
        (
            "wrong-import",
            "to call a host function with other arguments than it has",
            Expect::Refused("does not fit the plugin contract"),
            format!(
                "(component
            (import \"keyferry:plugin/clock@1.0.0\" (instance (export \"now\" (func (param \"x\" string))))) {app})"
            ),
        ),
    ];
    all.extend(texts.into_iter().map(|(name, tries, expect, text)| {
        let bytes = parse(&text);
        hostile(name, tries, expect, move |_| bytes.clone())
    }));
    all.extend(features());
    all
}

/// Features of WebAssembly beyond its first version. Each module is valid in an engine that supports the feature.
fn features() -> Vec<Hostile> {
    const REFUSED: Expect = Expect::Refused("does not compile");
    const SERVES: Expect = Expect::Answers { status: 200, contains: "Token migrated successfully" };
    let cases: [(&'static str, &'static str, Expect, &'static str); 10] = [
        ("threads", "to have memory that threads share", REFUSED, "(memory 1 1 shared)"),
        ("memory64", "to have a memory of 64-bit addresses", REFUSED, "(memory i64 1)"),
        ("relaxed-simd", "to compute what differs from machine to machine", REFUSED, "(func (result v128) (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0)))"),
        ("gc", "to have objects that are collected", REFUSED, "(type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1))))"),
        ("exceptions", "to throw", REFUSED, "(tag $t) (func (throw $t))"),
        ("stack-switching", "to have stacks of its own", REFUSED, "(type $f (func)) (type $c (cont $f)) (func (param (ref $f)) (drop (cont.new $c (local.get 0))))"),
        ("custom-page-sizes", "to have pages of one byte", REFUSED, "(memory 1 1 (pagesize 1))"),
        ("wide-arithmetic", "to use instructions that are a proposal", REFUSED, "(func (result i64 i64) (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))"),
        ("simd", "nothing: vectors are allowed", SERVES, "(func $init (drop (i8x16.add (v128.const i64x2 1 2) (v128.const i64x2 3 4)))) (start $init)"),
        ("nan", "to find NaNs of odd bits that a compiler did not expect", SERVES, "(func $init
            (drop (i64.reinterpret_f64 (f64.add (f64.reinterpret_i64 (i64.const 0x7ff0000000000001)) (f64.const nan:0x123))))
            (drop (i32.trunc_sat_f64_s (f64.const nan)))
            (drop (f64.sqrt (f64.const -1))) (drop (f32.demote_f64 (f64.reinterpret_i64 (i64.const -1))))) (start $init)"),
    ];
    let one = |(name, tries, expect, body): (_, _, _, &'static str)| {
        hostile(name, tries, expect, move |plugin| plugin.build_with(&super::hoard::module_inside(body)))
    };
    cases.into_iter().map(one).collect()
}
