//! Memory, tables, instances and handles without end.

use super::super::{Expect, Hostile, hostile};

const UNREACHABLE: Expect = Expect::Fails { code: "plugin_failed", detail: "unreachable" };

pub(super) fn all() -> Vec<Hostile> {
    let mut all = vec![
        hostile(
            "grow-memory",
            "to take all memory up to the cap, touch it, and ask for more",
            UNREACHABLE,
            |mut plugin| {
                plugin.verify = "
                (loop $again
                  (local.set $i (memory.grow (i32.const 1)))
                  (if (i32.ne (local.get $i) (i32.const -1)) (then
                    (memory.fill (i32.mul (local.get $i) (i32.const 65536)) (i32.const 7) (i32.const 65536))
                    (br $again))))
                (drop (memory.grow (i32.const 65535)))
                (drop (memory.grow (i32.const -1)))
                unreachable"
                    .to_owned();
                plugin.build()
            },
        ),
        hostile(
            "declare-all-memory",
            "to be given 4 GiB by declaring it",
            Expect::Refused("exceeds the limit of 0x20000000 bytes"),
            |mut plugin| {
                plugin.memory = Some("65536".to_owned());
                plugin.build()
            },
        ),
        hostile(
            "declare-much-memory",
            "to be given 64 MiB where 32 are allowed",
            Expect::Refused("memory minimum size of 1024 pages exceeds memory limits"),
            |mut plugin| {
                plugin.memory = Some("1024".to_owned());
                plugin.build()
            },
        ),
        hostile(
            "many-memories",
            "to multiply its share by having 100 memories",
            Expect::Refused("memories"),
            |plugin| plugin.build_with(&module_inside(&"(memory 256)".repeat(100))),
        ),
        hostile(
            "many-modules-with-memory",
            "to multiply its share by having 20 modules with one each",
            Expect::Refused("memories"),
            |plugin| {
                let module = "(core module $m (memory 256))";
                let instances = "(core instance (instantiate $m))".repeat(20);
                plugin.build_with(&format!("(component {module} {instances})"))
            },
        ),
        hostile("grow-table", "to take memory by way of a table", UNREACHABLE, |mut plugin| {
            plugin.items = "(table $t 1 funcref)".to_owned();
            plugin.verify = "
                (loop $again
                  (br_if $again (i32.ne (i32.const -1) (table.grow $t (ref.null func) (i32.const 1000)))))
                (drop (table.grow $t (ref.null func) (i32.const -1)))
                unreachable"
                .to_owned();
            plugin.build()
        }),
        hostile(
            "declare-huge-table",
            "to be given a table of ten million elements by declaring it",
            Expect::Refused("table"),
            |plugin| plugin.build_with(&module_inside("(table 10000000 funcref)")),
        ),
        hostile(
            "declare-large-table",
            "to be given a table twice the allowed size",
            Expect::Refused("table minimum size of 20000 elements exceeds table limits"),
            |plugin| plugin.build_with(&module_inside("(table 20000 funcref)")),
        ),
        hostile("many-tables", "to multiply its share by having 100 tables", Expect::Refused("tables"), |plugin| {
            plugin.build_with(&module_inside(&"(table 10000 funcref)".repeat(100)))
        }),
        hostile("many-instances", "to have 200 core instances", Expect::Refused("core module instances"), |plugin| {
            let instances = "(core instance (instantiate $m))".repeat(200);
            plugin.build_with(&format!("(component (core module $m) {instances})"))
        }),
        hostile(
            "doubling-instances",
            "to have 2^40 instances, each component having the one before twice",
            Expect::Refused("instances of components"),
            |plugin| plugin.build_with(&doubling(40, "(core module $m) (core instance (instantiate $m))")),
        ),
        hostile(
            "doubling-nothing",
            "to have 2^40 instances of nothing, which no limit of the runtime counts",
            Expect::Refused("instances of components"),
            |plugin| plugin.build_with(&doubling(40, "")),
        ),
        hostile(
            "handle-flood",
            "to have a billion handles of a resource of its own",
            Expect::Refused("store handle limit exceeded"),
            |plugin| {
                plugin.build_with(
                    "(component
                   (type $r (resource (rep i32)))
                   (core func $new (canon resource.new $r))
                   (core module $m
                     (import \"\" \"new\" (func $new (param i32) (result i32)))
                     (func $init (loop $again (drop (call $new (i32.const 1))) (br $again)))
                     (start $init))
                   (core instance (instantiate $m (with \"\" (instance (export \"new\" (func $new)))))))",
                )
            },
        ),
        hostile(
            "many-globals",
            "to have an instance of some megabytes outside of its memory",
            Expect::Refused("instance allocation for this"),
            |plugin| plugin.build_with(&module_inside(&"(global (mut v128) (v128.const i64x2 1 1))".repeat(99_000))),
        ),
    ];
    all.extend(duplicated_handles());
    all
}

/// Misuse of the handle that `verify` is given. It lies 12 bytes into the first field.
fn duplicated_handles() -> Vec<Hostile> {
    const FAILS: Expect = Expect::Fails { code: "plugin_failed", detail: "unknown handle index" };
    const HANDLE: &str = "(local.set $handle (i32.load offset=12 (local.get $fields)))";
    vec![
        hostile("drop-twice", "to free a secret twice", FAILS, |mut plugin| {
            plugin.verify = format!(
                "{HANDLE} (call $drop_secret (local.get $handle)) (call $drop_secret (local.get $handle)) (global.get $VERDICT)"
            );
            plugin.build()
        }),
        hostile("use-after-drop", "to use a secret that it has given back", FAILS, |mut plugin| {
            plugin.verify = format!(
                "{HANDLE} (call $drop_secret (local.get $handle)) (call $secret_name (local.get $handle) (global.get $FREE))
                 (global.get $VERDICT)"
            );
            plugin.build()
        }),
        hostile("forged-handle", "to guess the number of a secret that it was not given", FAILS, |mut plugin| {
            plugin.verify = format!(
                "{HANDLE} (call $secret_name (i32.add (local.get $handle) (i32.const 1)) (global.get $FREE)) (global.get $VERDICT)"
            );
            plugin.build()
        }),
        hostile("forged-handle-in-a-request", "to have a secret sent that it was not given", FAILS, |mut plugin| {
            plugin.request = serde_json::json!({
                "method": "get", "origin": "https://api.example.com", "auth": {"bearer": [{"secret": 77}]}, "body": "empty"
            });
            plugin.verify = "(call $send (global.get $REQUEST) (global.get $FREE)) (global.get $VERDICT)".to_owned();
            plugin.build()
        }),
        hostile("handle-zero", "to use a handle that does not exist", FAILS, |mut plugin| {
            plugin.verify = "(call $secret_name (i32.const 0) (global.get $FREE)) (global.get $VERDICT)".to_owned();
            plugin.build()
        }),
        hostile("greatest-handle", "to have the host make room up to the greatest handle", FAILS, |mut plugin| {
            plugin.verify = "(call $drop_secret (i32.const -1)) (global.get $VERDICT)".to_owned();
            plugin.build()
        }),
    ]
}

/// A component with one module that is instantiated.
pub(super) fn module_inside(body: &str) -> String {
    format!("(component (core module $m {body}) (core instance (instantiate $m)))")
}

/// Components that each instantiate the one before twice.
fn doubling(levels: usize, first: &str) -> String {
    let mut text = format!("(component (component $c0 {first})");
    for level in 1..=levels {
        let before = level - 1;
        text.push_str(&format!(
            "(component $c{level} (alias outer 1 $c{before} (component $it)) (instance (instantiate $it)) (instance (instantiate $it)))"
        ));
    }
    text + &format!("(instance (instantiate $c{levels})))")
}
