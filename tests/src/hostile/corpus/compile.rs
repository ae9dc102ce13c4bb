//! Small files that take long to compile or to read.

use super::super::plugin::leb128;
use super::super::{Expect, Hostile, hostile};
use super::hoard::module_inside;

pub(super) fn all() -> Vec<Hostile> {
    let mut all = vec![
        hostile(
            "huge-function",
            "to keep the compiler with one function",
            Expect::Refused("bytes in one function"),
            |plugin| plugin.build_with(&module_inside(&format!("(func {})", "nop ".repeat(1_100_000)))),
        ),
        hostile(
            "many-functions",
            "to keep the compiler with a hundred thousand functions",
            Expect::Refused("functions"),
            |plugin| plugin.build_with(&module_inside(&"(func)".repeat(100_001))),
        ),
        hostile("many-types", "to have too many types", Expect::Refused("types"), |plugin| {
            plugin.build_with(&module_inside(&(0..20_001).map(|_| "(type (func (param i32)))").collect::<String>()))
        }),
        hostile(
            "many-imports",
            "to have too many imports",
            Expect::Refused("imports, exports and aliases"),
            |plugin| {
                let imports = (0..50_001).map(|n| format!("(import \"m\" \"{n}\" (func))")).collect::<String>();
                plugin.build_with(&format!("(component (core module {imports}))"))
            },
        ),
        hostile(
            "many-exports",
            "to have too many exports",
            Expect::Refused("imports, exports and aliases"),
            |plugin| {
                let exports = (0..50_001).map(|n| format!("(export \"{n}\" (func 0))")).collect::<String>();
                plugin.build_with(&module_inside(&format!("(func) {exports}")))
            },
        ),
        hostile(
            "many-locals",
            "to have more locals than a function has",
            Expect::Refused("locals in one function"),
            |plugin| plugin.build_with(&module_inside(&format!("(func (local {}))", "i64 ".repeat(50_001)))),
        ),
        hostile(
            "large-file",
            "to be larger than a plugin may be",
            Expect::Refused("larger than 25165824 bytes"),
            |plugin| {
                let mut component = plugin.build();
                let data = vec![7; 25 << 20];
                component.push(0);
                component.extend(leb128(data.len()));
                component.extend(data);
                component
            },
        ),
        hostile("doubling-types", "to have a type of 2^60 members", Expect::Refused("type"), |plugin| {
            let types = (1..60).map(|n| format!("(type $t{n} (tuple $t{0} $t{0}))", n - 1)).collect::<String>();
            plugin.build_with(&format!("(component (type $t0 (tuple u8 u8)) {types})"))
        }),
        hostile("deep-components", "to be nested too deep", Expect::Refused("levels of nesting"), |plugin| {
            plugin.build_with(&(0..50).fold("(component)".to_owned(), |inner, _| format!("(component {inner})")))
        }),
        hostile(
            "large-data",
            "to be given more memory than its share by the data in its file",
            Expect::Refused("exceeds memory limits"),
            |plugin| {
                plugin.build_with(&module_inside(&format!(
                    "(memory 600) (data (i32.const 0) \"{}\")",
                    "x".repeat(10 << 20)
                )))
            },
        ),
        hostile(
            "giant-br-table",
            "to have a jump with half a million targets",
            Expect::Refused("exceeds the implementation limit of 65520"),
            |plugin| {
                let targets = "0 ".repeat(500_000);
                plugin.build_with(&module_inside(&format!("(func (param i32) (br_table {targets} (local.get 0)))")))
            },
        ),
        hostile(
            "many-live-values",
            "to have thousands of values live through thousands of blocks",
            Expect::Refused("bytes in one function"),
            |plugin| plugin.build_with(&module_inside(&live(20_000, 40_000))),
        ),
        hostile(
            "live-values",
            "to have a thousand values live through thousands of blocks",
            Expect::Refused("locals times blocks in one function"),
            |plugin| plugin.build_with(&module_inside(&live(1_000, 2_000))),
        ),
        // 15 KiB that took a compiler two gigabytes.
        hostile(
            "passing-loops",
            "to have loops pass a thousand values on",
            Expect::Refused("values that blocks of one function pass"),
            |plugin| {
                let values = "i32 ".repeat(1_000);
                let (get, drop) = ("local.get 0 ".repeat(1_000), "drop ".repeat(1_000));
                let loops = "(loop (type $w)) ".repeat(200);
                plugin.build_with(&module_inside(&format!(
                    "(type $w (func (param {values}) (result {values}))) (func (param i32) {get} {loops} {drop})"
                )))
            },
        ),
        // 100 KiB that took a compiler half a minute.
        hostile(
            "many-loops",
            "to have twenty thousand loops in one function",
            Expect::Refused("blocks in one function"),
            |plugin| plugin.build_with(&module_inside(&format!("(func {})", "loop end ".repeat(20_000)))),
        ),
        hostile(
            "many-functions-of-loops",
            "to have thousands of loops in each of many functions",
            Expect::Refused("blocks in its functions, squared"),
            |plugin| {
                let one = format!("(func {})", "loop end ".repeat(5_000));
                plugin.build_with(&module_inside(&one.repeat(30)))
            },
        ),
        hostile(
            "deep-blocks",
            "to overflow the compiler's stack with nested blocks",
            Expect::Refused("blocks in one function"),
            |plugin| {
                plugin.build_with(&module_inside(&format!(
                    "(func {} {})",
                    "block ".repeat(100_000),
                    "end ".repeat(100_000)
                )))
            },
        ),
    ];
    all.extend(within_the_limits());
    all
}

/// Within the limits: the server has to compile it in time, and serve others meanwhile.
fn within_the_limits() -> Vec<Hostile> {
    const SERVES: Expect = Expect::Answers { status: 200, contains: "Token migrated successfully" };
    vec![
        hostile("large-br-table", "to have a jump with sixty thousand targets", SERVES, |plugin| {
            let targets = "0 ".repeat(60_000);
            plugin.build_with(&module_inside(&format!("(func (param i32) (br_table {targets} (local.get 0)))")))
        }),
        hostile(
            "nested-blocks",
            "to overflow the compiler's stack with as many nested blocks as are let through",
            SERVES,
            |plugin| {
                plugin.build_with(&module_inside(&format!(
                    "(func {} {})",
                    "block ".repeat(15_900),
                    "end ".repeat(15_900)
                )))
            },
        ),
        hostile("deep-expression", "to overflow the compiler's stack with one expression", SERVES, |plugin| {
            let sum = "local.get 0 i32.add ".repeat(150_000);
            plugin.build_with(&module_inside(&format!("(func (param i32) (result i32) local.get 0 {sum})")))
        }),
        hostile("branchy-function", "to keep the compiler with branches", SERVES, |plugin| {
            let body = "(if (local.get 0) (then (local.set 0 (i32.add (local.get 0) (i32.const 1)))))".repeat(5_000);
            plugin.build_with(&module_inside(&format!("(func (param i32) (result i32) {body} (local.get 0))")))
        }),
        hostile("some-loops", "to keep the compiler with loops", SERVES, |plugin| {
            plugin.build_with(&module_inside(&format!("(func {})", "loop end ".repeat(4_000))))
        }),
        hostile(
            "some-live-values",
            "to have as many values live through as many blocks as is let through",
            SERVES,
            |plugin| plugin.build_with(&module_inside(&live(900, 440))),
        ),
        hostile(
            "nested-live-values",
            "to have values pass through nested loops, each of which could change them",
            SERVES,
            |plugin| {
                let locals = "i32 ".repeat(200);
                let change = (1..=200).map(|n| format!("(local.set {n} (i32.add (local.get {n}) (i32.const 1)))"));
                let change = change.collect::<String>();
                let (open, close) = ("loop ".repeat(200), "local.get 0 br_if 0 end ".repeat(200));
                plugin
                    .build_with(&module_inside(&format!("(func (param i32) (local {locals}) {open} {change} {close})")))
            },
        ),
        hostile("wide-calls", "to have calls with a thousand arguments", SERVES, |plugin| {
            let wide = "i64 ".repeat(1_000);
            let arguments = "local.get 0 ".repeat(1_000);
            let calls = format!("{arguments} call $wide ").repeat(60);
            plugin.build_with(&module_inside(&format!(
                "(func $wide (param {wide}) (local {wide})) (func (param i64) {calls})"
            )))
        }),
        hostile("many-data-segments", "to have a hundred thousand pieces of data", SERVES, |plugin| {
            let data = (0..99_000).map(|n| format!("(data (i32.const {n}) \"x\")")).collect::<String>();
            plugin.build_with(&module_inside(&format!("(memory 2) {data}")))
        }),
        hostile("many-small-functions", "to keep the compiler with thousands of functions", SERVES, |plugin| {
            plugin.build_with(&module_inside(
                &"(func (param i32) (result i32) local.get 0 i32.const 3 i32.mul)".repeat(5_000),
            ))
        }),
    ]
}

/// A function whose values are all live through all of its blocks.
fn live(values: usize, blocks: usize) -> String {
    let locals = "i32 ".repeat(values);
    let set = (1..=values).map(|n| format!("(local.set {n} (i32.load (i32.const {n})))")).collect::<String>();
    let blocks = "(block (br_if 0 (local.get 0)) (drop (i32.load (i32.const 0))))".repeat(blocks);
    let get = (1..=values).map(|n| format!("(local.get {n}) (i32.xor)")).collect::<String>();
    format!("(memory 2) (func (param i32) (result i32) (local {locals}) {set} {blocks} (local.get 0) {get})")
}
