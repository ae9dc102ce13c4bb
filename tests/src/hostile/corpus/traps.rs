//! Traps in `verify`, in the functions that the component model calls around it, and at start.

use super::super::{Expect, Hostile, hostile};
use super::{fails, once};

pub(super) fn all() -> Vec<Hostile> {
    vec![
        once("unreachable", "to break down", fails("unreachable"), "unreachable"),
        once(
            "division-by-zero",
            "to divide by zero",
            fails("divide by zero"),
            "(drop (i32.div_u (i32.const 1) (local.get $i)))",
        ),
        once(
            "overflowing-division",
            "to divide the least number by -1",
            fails("integer overflow"),
            "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (local.get $i) (i32.const 1))))",
        ),
        once(
            "nan-to-integer",
            "to convert NaN to an integer",
            fails("invalid conversion"),
            "(drop (i32.trunc_f64_s (f64.div (f64.convert_i32_u (local.get $i)) (f64.const 0))))",
        ),
        once(
            "out-of-bounds",
            "to read behind its memory",
            fails("out of bounds"),
            "(drop (i64.load offset=0xffffffff (i32.const -1)))",
        ),
        hostile("null-function", "to call what is no function", fails("uninitialized element"), |mut plugin| {
            plugin.items = "(table 4 funcref)".to_owned();
            plugin.verify = "(call_indirect (i32.const 2)) (i32.const 0)".to_owned();
            plugin.build()
        }),
        hostile(
            "wrong-function",
            "to call a function with other arguments than it has",
            fails("indirect call type mismatch"),
            |mut plugin| {
                plugin.items = "(table 1 funcref) (elem (i32.const 0) $realloc)".to_owned();
                plugin.verify = "(call_indirect (i32.const 0)) (i32.const 0)".to_owned();
                plugin.build()
            },
        ),
        hostile("trap-in-post-return", "to break down after it has answered", fails("unreachable"), |mut plugin| {
            plugin.post_return = Some("unreachable".to_owned());
            plugin.build()
        }),
        hostile(
            "host-call-in-post-return",
            "to call the host when its result has been read",
            fails("cannot leave component instance"),
            |mut plugin| {
                plugin.post_return = Some("(call $log (i32.const 2) (i32.const 1024) (i32.const 1))".to_owned());
                plugin.build()
            },
        ),
        hostile(
            "trap-in-start",
            "to break down before it is asked anything",
            Expect::Refused("unreachable"),
            |mut plugin| {
                plugin.items = "(func $init unreachable) (start $init)".to_owned();
                plugin.build()
            },
        ),
        hostile(
            "trap-in-describe",
            "to break down when it is asked what it is",
            Expect::Refused("divide by zero"),
            |mut plugin| {
                plugin.describe = "(i32.div_u (i32.const 1) (local.get $i))".to_owned();
                plugin.build()
            },
        ),
    ]
}
