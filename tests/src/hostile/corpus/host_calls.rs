//! Calls of the host with arguments that no compiler generates, and in numbers that no plugin needs.

use serde_json::{Value, json};

use super::super::{Expect, Hostile, hostile};
use super::{fails, once};

/// The calls have no harmful effect, and the verdict is used.
const SERVES: Expect = Expect::Answers { status: 200, contains: "Token migrated successfully" };

pub(super) fn all() -> Vec<Hostile> {
    let mut all = arguments();
    all.extend(requests());
    all.extend(reallocs());
    all.extend(storms());
    all
}

fn arguments() -> Vec<Hostile> {
    vec![
        once(
            "pointer-out-of-range",
            "to have the host read behind its memory",
            fails("out of bounds"),
            "(call $log (i32.const 2) (i32.const 0x7fffff00) (i32.const 16))",
        ),
        once(
            "pointer-negative",
            "to have the host read before its memory",
            fails("out of bounds"),
            "(call $log (i32.const 2) (i32.const -8) (i32.const 16))",
        ),
        once(
            "length-of-4-gib",
            "to have the host read all there is",
            fails("out of bounds"),
            "(call $log (i32.const 2) (i32.const 1024) (i32.const -1))",
        ),
        once(
            "length-that-wraps",
            "to have pointer and length sum up to nothing",
            fails("out of bounds"),
            "(call $log (i32.const 2) (i32.const 0x80000000) (i32.const 0x80000000))",
        ),
        once(
            "invalid-utf-8",
            "to log what is no text",
            fails("invalid utf-8"),
            "(i32.store (global.get $FREE) (i32.const 0xfffefdfc)) (call $log (i32.const 2) (global.get $FREE) (i32.const 4))",
        ),
        once(
            "unknown-level",
            "to log at a level that is not there",
            fails("discriminant"),
            "(call $log (i32.const 99) (i32.const 1024) (i32.const 1))",
        ),
        once(
            "answer-out-of-range",
            "to have the host write behind its memory",
            fails("out of bounds"),
            "(call $random (i32.const 16) (i32.const 0x7ffffff0))",
        ),
        once(
            "answer-misaligned",
            "to have the host write where it must not",
            fails("not aligned"),
            "(call $random (i32.const 16) (i32.add (global.get $FREE) (i32.const 1)))",
        ),
        once(
            "random-of-4-gib",
            "to have the host find four billion random bytes",
            SERVES,
            "(call $random (i32.const -1) (global.get $FREE))",
        ),
        once(
            "log-of-itself",
            "to log a megabyte, and what the log forges",
            SERVES,
            "
            (memory.fill (global.get $FREE) (i32.const 65) (i32.const 65536))
            (i32.store (global.get $FREE) (i32.const 0x5b1b0a0d))
            (call $log (i32.const 2) (global.get $FREE) (i32.const 65536))",
        ),
        once(
            "log-too-large",
            "to log more than may be copied at once",
            fails("too much data"),
            "
            (drop (memory.grow (i32.const 40)))
            (memory.fill (global.get $FREE) (i32.const 65) (i32.const 3000000))
            (call $log (i32.const 2) (global.get $FREE) (i32.const 3000000))",
        ),
    ]
}

/// Requests by their bytes.
fn requests() -> Vec<Hostile> {
    let send = |name, tries, expect, request: Value| {
        hostile(name, tries, expect, move |mut plugin| {
            plugin.request = request.clone();
            plugin.verify = "(call $send (global.get $REQUEST) (global.get $FREE)) (global.get $VERDICT)".to_owned();
            plugin.build()
        })
    };
    let origin = "https://api.example.com";
    // Zeros, far behind what anything else uses: as parts, empty texts.
    let shared = |count: u64| json!({"$at": 524_288, "$count": count});
    vec![
        once(
            "request-out-of-range",
            "to have the host read a request behind its memory",
            fails("out of bounds"),
            "(call $send (i32.const 0x7fffff00) (global.get $FREE))",
        ),
        once(
            "request-at-the-edge",
            "to have the last bytes of a request lie behind its memory",
            fails("out of bounds"),
            "
            (call $send (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)) (global.get $FREE))",
        ),
        once(
            "request-misaligned",
            "to have a request lie across",
            fails("not aligned"),
            "(call $send (i32.add (global.get $REQUEST) (i32.const 1)) (global.get $FREE))",
        ),
        once(
            "request-overlaps-answer",
            "to have the response written over the request",
            SERVES,
            "(call $send (global.get $REQUEST) (global.get $REQUEST))",
        ),
        send(
            "unknown-method",
            "to use a method that is not there",
            fails("discriminant"),
            json!({"method": {"$case": 77}, "origin": origin, "body": "empty"}),
        ),
        send(
            "unknown-body",
            "to send a body of a kind that is not there",
            fails("discriminant"),
            json!({"method": "get", "origin": origin, "body": {"$case": 200}}),
        ),
        send(
            "list-of-all-numbers",
            "to send a list of 2^32-1 headers",
            fails("list"),
            json!({"method": "get", "origin": origin, "headers": shared(u64::from(u32::MAX)), "body": "empty"}),
        ),
        // The inner lists are read out of the outer one's bytes: all are the same, and none costs a byte of the file.
        send(
            "shared-lists",
            "to send ten thousand lists that are the same list of ten thousand",
            fails("too much data"),
            json!({
                "method": "get", "origin": origin, "body": "empty",
                "path": (0..10_000).map(|_| shared(10_000)).collect::<Vec<_>>(),
            }),
        ),
        send(
            "shared-texts",
            "to send a thousand texts that are the same text of 100 KiB",
            fails("too much data"),
            json!({
                "method": "get", "origin": origin, "body": "empty",
                "query": (0..1_000).map(|_| json!({"name": {"$at": 524_288, "$count": 100_000}, "value": []})).collect::<Vec<_>>(),
            }),
        ),
        send(
            "header-injection",
            "to end a header and begin another",
            SERVES,
            json!({
                "method": "get", "origin": origin, "body": "empty",
                "headers": [{"name": "x\r\nhost: evil", "value": [{"text": "1\r\n\r\nGET / HTTP/1.1"}]}],
            }),
        ),
        send(
            "deep-json",
            "to have the host nest a body ten thousand levels deep",
            SERVES,
            json!({
                "method": "post", "origin": origin,
                "body": {"json": [{"pointer": "/a".repeat(10_000), "value": {"literal": "1"}}]},
            }),
        ),
        send(
            "deep-json-literal",
            "to have the host parse JSON until its stack ends",
            SERVES,
            json!({
                "method": "post", "origin": origin,
                "body": {"json": [{"pointer": "/a", "value": {"literal": "[".repeat(60_000)}}]},
            }),
        ),
        send(
            "sparse-json",
            "to have the host make room for four billion members",
            SERVES,
            json!({
                "method": "post", "origin": origin,
                "body": {"json": [{"pointer": "/a/4294967295", "value": {"literal": "1"}}]},
            }),
        ),
        send(
            "many-mints",
            "to have the host look for a hundred thousand tokens",
            fails("too much data"),
            json!({
                "method": "get", "origin": origin, "body": "empty",
                "mint": (0..100_000).map(|_| json!({"$at": 1024, "$count": 20})).collect::<Vec<_>>(),
            }),
        ),
        send(
            "userinfo-origin",
            "to hide another host in the origin",
            SERVES,
            json!({
                "method": "get", "origin": "https://api.example.com@127.0.0.1", "body": "empty",
            }),
        ),
    ]
}

/// The host calls the plugin's `realloc` and writes to the address that it returns. `$random` of 64 bytes causes this.
fn reallocs() -> Vec<Hostile> {
    let lies = |name, tries, expect, realloc: &'static str| {
        hostile(name, tries, expect, move |mut plugin| {
            plugin.realloc = realloc.to_owned();
            plugin.verify = "(call $random (i32.const 64) (global.get $FREE)) (global.get $VERDICT)".to_owned();
            plugin.build()
        })
    };
    vec![
        lies(
            "realloc-out-of-range",
            "to have the host write behind its memory",
            fails("beyond end of memory"),
            "(i32.const 0x7fffff00)",
        ),
        lies(
            "realloc-at-the-edge",
            "to have the last bytes written behind its memory",
            fails("beyond end of memory"),
            "(i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4))",
        ),
        lies(
            "realloc-misaligned",
            "to have the host write across",
            fails("not aligned"),
            "(i32.or (global.get $FREE) (i32.const 1))",
        ),
        lies(
            "realloc-calls-back",
            "to call the host while the host calls it",
            fails("cannot leave component instance"),
            "
            (call $log (i32.const 2) (i32.const 1024) (i32.const 1)) (global.get $FREE)",
        ),
        lies(
            "realloc-sends",
            "to make a request while the host hands over the secrets",
            fails("cannot leave component instance"),
            "
            (call $send (global.get $REQUEST) (global.get $FREE)) (global.get $FREE)",
        ),
        lies("realloc-traps", "to break down in the middle of a call of the host", fails("unreachable"), "unreachable"),
        lies(
            "realloc-grows",
            "to move all of its memory while the host holds it",
            fails("beyond end of memory"),
            "
            (drop (memory.grow (i32.const 10000))) (drop (memory.grow (i32.const 100)))
            (i32.const 0x7fffff00)",
        ),
    ]
}

fn storms() -> Vec<Hostile> {
    let storm = |name, tries, expect, call: &'static str| {
        hostile(name, tries, expect, move |mut plugin| {
            plugin.memory = Some("60".to_owned());
            plugin.verify = format!(
                "(memory.fill (global.get $FREE) (i32.const 65) (i32.const 1000000)) (loop $again {call} (br $again)) (i32.const 0)"
            );
            plugin.build()
        })
    };
    const CPU: Expect = fails("processor time");
    vec![
        storm(
            "storm-of-logs",
            "to fill the log, a megabyte at a time",
            CPU,
            "(call $log (i32.const 2) (global.get $FREE) (i32.const 1000000))",
        ),
        storm(
            "storm-of-randomness",
            "to use up the randomness",
            CPU,
            "
            (global.set $heap (i32.add (global.get $FREE) (i32.const 65536)))
            (call $random (i32.const 1024) (global.get $FREE))",
        ),
        storm("storm-of-clocks", "to ask for the time until it is over", CPU, "(drop (call $now))"),
        storm(
            "storm-of-requests",
            "to make requests without end",
            CPU,
            "
            (global.set $heap (i32.add (global.get $FREE) (i32.const 65536)))
            (call $send (global.get $REQUEST) (global.get $FREE))",
        ),
        hostile(
            "slow-provider",
            "to wait for a provider that does not respond, past its time",
            Expect::Fails { code: "plugin_timeout", detail: "did not finish within" },
            |mut plugin| {
                plugin.request = json!({"method": "get", "origin": "https://slow.example.com", "body": "empty"});
                plugin.description["grants"][0]["host"] = "slow.example.com".into();
                plugin.verify =
                    "(loop $again (call $send (global.get $REQUEST) (global.get $FREE)) (br $again)) (i32.const 0)"
                        .to_owned();
                plugin.build()
            },
        ),
        hostile("minting", "to be given a thousand tokens, and as many handles", SERVES, |mut plugin| {
            plugin.memory = Some("60".to_owned());
            plugin.request = json!({"method": "get", "origin": "https://mint.example.com", "body": "empty"});
            plugin.description["grants"][0]["host"] = "mint.example.com".into();
            plugin.verify = "(call $send (global.get $REQUEST) (global.get $FREE)) (global.get $VERDICT)".to_owned();
            plugin.build()
        }),
    ]
}
