//! Verdicts (the result of `verify`) that are wrong.

use serde_json::{Value, json};

use super::super::{Expect, Hostile, hostile};

const fn fails(detail: &'static str) -> Expect {
    Expect::Fails { code: "plugin_failed", detail }
}

const fn answers(contains: &'static str) -> Expect {
    Expect::Answers { status: 200, contains }
}

pub(super) fn all() -> Vec<Hostile> {
    let says = |name, tries, expect, verdict: Value| {
        hostile(name, tries, expect, move |mut plugin| {
            plugin.verdict = verdict.clone();
            plugin.build()
        })
    };
    let failure = |kind: Value| json!({"err": {"kind": kind, "detail": "made up"}});
    let stored = answers("Token migrated successfully");
    vec![
        says(
            "unknown-failure",
            "to fail in a way that is not there",
            fails("discriminant"),
            failure(json!({"$case": 200})),
        ),
        says(
            "unknown-unreachable",
            "to be unreachable in a way that is not there",
            fails("discriminant"),
            failure(json!({"unreachable": {"$case": 99}})),
        ),
        says(
            "half-an-option",
            "to return an option that is neither some nor none",
            fails("discriminant"),
            json!({"ok": {"account-id": {"$case": 7}}}),
        ),
        says("neither-ok-nor-error", "to return neither", fails("discriminant"), json!({"$case": 9})),
        says(
            "account-in-no-encoding",
            "to store an account id that is no text",
            fails("invalid utf-8"),
            json!({"ok": {"account-id": {"$bytes": [0x66, 0xff, 0xfe]}}}),
        ),
        says(
            "scopes-without-end",
            "to have a hundred and fifty thousand scopes",
            fails("too much data"),
            json!({"ok": {"scopes": {"$at": 131_072, "$count": 150_000}}}),
        ),
        says(
            "scopes-of-all-numbers",
            "to have 2^32-1 scopes",
            fails("list"),
            json!({"ok": {"scopes": {"$at": 1024, "$count": 4_294_967_295_u64}}}),
        ),
        says(
            "many-scopes",
            "to have more scopes than are stored",
            stored,
            json!({"ok": {"scopes": (0..5_000).map(|n| format!("scope-{n}")).collect::<Vec<_>>()}}),
        ),
        says(
            "string-of-1-gib",
            "to return a text of a gigabyte",
            fails("out of bounds"),
            json!({"ok": {"display-name": {"$at": 1024, "$count": 1 << 30}}}),
        ),
        says("ends-never", "to end past the end of time", stored, json!({"ok": {"expires-at": u64::MAX}})),
        says(
            "waits-for-ever",
            "to have a caller wait for 136 years",
            Expect::Fails { code: "provider_rate_limited", detail: "made up" },
            failure(json!({"rate-limited": u32::MAX})),
        ),
        says(
            "status-that-is-none",
            "to report a status that HTTP does not have",
            Expect::Fails { code: "provider_error", detail: "made up" },
            failure(json!({"provider-error": 65_535})),
        ),
        says(
            "giant-config",
            "to keep more than a record holds",
            Expect::Fails { code: "credential_too_large", detail: "too large" },
            json!({"ok": {"config": (0..100).map(|n| json!([format!("key-{n}"), "\u{1F980}".repeat(500)])).collect::<Vec<_>>()}}),
        ),
        says(
            "repeated-config",
            "to keep the same thing a thousand times",
            stored,
            json!({"ok": {"config": (0..1000).map(|_| json!(["same", "value"])).collect::<Vec<_>>()}}),
        ),
        says(
            "header-in-account",
            "to have a line of its own in headers and logs",
            stored,
            json!({"ok": {"account-id": "1\r\nx-evil: 1\u{1b}[2J", "display-name": "\u{202e}moc.elpmaxe", "warnings": ["\u{0}"]}}),
        ),
        says(
            "fields-that-are-none",
            "to blame fields by names that are markup",
            Expect::Fails { code: "credentials_rejected", detail: "made up" },
            failure(json!({"rejected": ["<script>alert(1)</script>", "../../etc/passwd", "a\nb"]})),
        ),
        says(
            "imitated-mask",
            "to write what looks like a masked secret",
            Expect::Fails { code: "credentials_rejected", detail: "*** is your key ***" },
            json!({"err": {"kind": {"rejected": []}, "detail": "*** is your key ***"}}),
        ),
        hostile("verdict-out-of-range", "to answer from behind its memory", fails("out of bounds"), |mut plugin| {
            plugin.verify = "(i32.const 0x7ffffff0)".to_owned();
            plugin.build()
        }),
        hostile("verdict-misaligned", "to return a misaligned address", fails("not aligned"), |mut plugin| {
            plugin.verify = "(i32.add (global.get $VERDICT) (i32.const 1))".to_owned();
            plugin.build()
        }),
        hostile("verdict-that-is-its-input", "to return the bytes of its own arguments", fails(""), |mut plugin| {
            plugin.verify = "(i32.and (local.get $fields) (i32.const -8))".to_owned();
            plugin.build()
        }),
    ]
}
