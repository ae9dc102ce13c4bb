//! Code that does not end, or does not end in time.

use super::super::{Expect, Hostile, hostile};

const CPU: Expect = Expect::Fails { code: "plugin_failed", detail: "processor time" };
const NO_CPU: Expect = Expect::Refused("processor time");
const NO_STACK: Expect = Expect::Refused("call stack exhausted");

pub(super) fn all() -> Vec<Hostile> {
    let stack = Expect::Fails { code: "plugin_failed", detail: "call stack exhausted" };
    vec![
        hostile("loop-in-start", "to loop before it is asked anything", NO_CPU, |mut plugin| {
            plugin.items = "(func $init (loop $again (br $again))) (start $init)".to_owned();
            plugin.build()
        }),
        hostile("loop-in-describe", "to keep the server from ever knowing what it is", NO_CPU, |mut plugin| {
            plugin.describe = "(loop $again (br $again)) (i32.const 0)".to_owned();
            plugin.build()
        }),
        hostile("loop-in-verify", "to keep a request, and its thread, for ever", CPU, |mut plugin| {
            plugin.verify = "(loop $again (br $again)) (i32.const 0)".to_owned();
            plugin.build()
        }),
        hostile("loop-in-realloc", "to keep the host in the middle of handing over arguments", CPU, |mut plugin| {
            plugin.realloc = "(loop $again (br $again)) (i32.const 0)".to_owned();
            plugin.build()
        }),
        hostile("loop-in-post-return", "to keep the host after it has its answer", CPU, |mut plugin| {
            plugin.post_return = Some("(loop $again (br $again))".to_owned());
            plugin.build()
        }),
        hostile(
            "loop-without-a-loop",
            "to spend time in calls instead of loops, where a loop counter would not look",
            CPU,
            |mut plugin| {
                // A binary tree of calls, 2^60 of them, 60 deep.
                plugin.items = "(func $tree (param $n i32)
                (if (local.get $n) (then
                  (call $tree (i32.sub (local.get $n) (i32.const 1)))
                  (call $tree (i32.sub (local.get $n) (i32.const 1))))))"
                    .to_owned();
                plugin.verify = "(call $tree (i32.const 60)) (i32.const 0)".to_owned();
                plugin.build()
            },
        ),
        hostile("loop-of-fills", "to spend time inside of single instructions", CPU, |mut plugin| {
            plugin.memory = Some("300".to_owned());
            plugin.verify = "(loop $again
                (memory.fill (global.get $FREE) (i32.const 7) (i32.const 16000000))
                (br $again)) (i32.const 0)"
                .to_owned();
            plugin.build()
        }),
        hostile(
            "loop-in-two-minds",
            "to tell the host that it is done while a nested component loops",
            NO_CPU,
            |plugin| {
                plugin.build_with(
                    "(component (core module $m (func $init (loop $again (br $again))) (start $init))
                   (core instance (instantiate $m)))",
                )
            },
        ),
        hostile("recursion-in-start", "to overflow the stack before it is asked anything", NO_STACK, |mut plugin| {
            plugin.items = "(func $init (call $init)) (start $init)".to_owned();
            plugin.build()
        }),
        hostile("recursion-in-describe", "to overflow the stack at admission", NO_STACK, |mut plugin| {
            plugin.items = "(func $deep (result i32) (i32.add (call $deep) (i32.const 1)))".to_owned();
            plugin.describe = "(call $deep)".to_owned();
            plugin.build()
        }),
        hostile(
            "recursion-in-verify",
            "to overflow the stack with large frames, through a table",
            stack,
            |mut plugin| {
                // Values that live across the call make each frame some kilobytes.
                let locals = (0..200).map(|n| format!("(local $v{n} i64)")).collect::<String>();
                let set =
                    (0..200).map(|n| format!("(local.set $v{n} (i64.load (i32.const {})))", n * 8)).collect::<String>();
                let add = (0..200).map(|n| format!("(local.get $v{n}) (i64.add)")).collect::<String>();
                plugin.items = format!(
                    "(type $deep (func (result i64))) (table 1 funcref) (elem (i32.const 0) $deep)
                 (func $deep (type $deep) {locals} {set} (call_indirect (type $deep) (i32.const 0)) {add})"
                );
                plugin.verify = "(drop (call_indirect (type $deep) (i32.const 0))) (i32.const 0)".to_owned();
                plugin.build()
            },
        ),
    ]
}
