//! Descriptions (the result of `describe`) that are wrong or too large.

use serde_json::{Value, json};

use super::super::plugin::{description, field};
use super::super::{Expect, Hostile, hostile};

pub(super) fn all() -> Vec<Hostile> {
    let mut all = sizes();
    all.extend(words());
    all.extend(patterns());
    all.extend(roles());
    all
}

/// A plugin with a modified description.
fn says(
    name: &'static str,
    tries: &'static str,
    expect: Expect,
    change: impl Fn(&mut Value) + Send + Sync + 'static,
) -> Hostile {
    hostile(name, tries, expect, move |mut plugin| {
        change(&mut plugin.description);
        plugin.build()
    })
}

/// A plugin with a modified description of its only field.
fn field_says(
    name: &'static str,
    tries: &'static str,
    expect: Expect,
    change: impl Fn(&mut Value) + Send + Sync + 'static,
) -> Hostile {
    says(name, tries, expect, move |description| change(&mut description["auth-types"][0]["fields"][0]))
}

fn sizes() -> Vec<Hostile> {
    const FUEL: Expect = Expect::Refused("too much data");
    vec![
        says("ten-thousand-fields", "to have a form that is too long to fill in", FUEL, |description| {
            let fields = (0..10_000).map(|n| json!({"name": format!("f{n}"), "label": "L"}));
            description["auth-types"][0]["fields"] = fields.collect();
        }),
        says(
            "hundred-fields",
            "to have a form that is too long to fill in",
            Expect::Refused("100 fields"),
            |description| {
                let fields = (0..100).map(|n| json!({"name": format!("f{n}"), "label": "L"}));
                description["auth-types"][0]["fields"] = fields.collect();
            },
        ),
        says("fields-of-zeros", "to have the host read a megabyte of zeros as fields", FUEL, |description| {
            description["auth-types"][0]["fields"] = json!({"$at": 131_072, "$count": 10_000});
        }),
        says(
            "shared-auth-types",
            "to have thousands of auth types that share a list of thousands of fields",
            FUEL,
            |description| {
                // 16 KiB of zeros, read as fields without names, hundreds at a time.
                let auth_type = json!({"name": "a", "fields": {"$at": 0, "$count": 8}});
                description["auth-types"] = (0..5_000).map(|_| auth_type.clone()).collect();
            },
        ),
        says("fields-of-all-numbers", "to have 2^32-1 fields", Expect::Refused("list"), |description| {
            description["auth-types"][0]["fields"] = json!({"$at": 1024, "$count": u32::MAX});
        }),
        says("name-of-1-gib", "to have a name of a gigabyte", Expect::Refused("out of bounds"), |description| {
            description["name"] = json!({"$at": 1024, "$count": 1 << 30});
        }),
        says("name-of-a-megabyte", "to have a name of a megabyte", FUEL, |description| {
            description["name"] = json!({"$at": 0, "$count": 1_200_000});
        }),
        says(
            "long-name",
            "to have a name that no list shows",
            Expect::Refused("name: it must have 1 to 200 bytes"),
            |description| {
                description["name"] = "x".repeat(500_000).into();
            },
        ),
        says(
            "many-grants",
            "to ask for more grants than an operator can read",
            Expect::Refused("grants: 1000 are asked for"),
            |description| {
                let grant = description["grants"][0].clone();
                description["grants"] = (0..1_000).map(|_| grant.clone()).collect();
            },
        ),
        says("many-methods", "to ask for the same method ten thousand times", serves(), |description| {
            description["grants"][0]["methods"] = (0..10_000).map(|_| "get").collect();
        }),
        field_says(
            "giant-options",
            "to have options of hundreds of kilobytes, shown in each error",
            Expect::Refused("longer than 4 KiB"),
            |field| {
                field["kind"] = "select".into();
                field["secret"] = false.into();
                field["options"] = json!([{"value": "x".repeat(500_000), "label": "L"}]);
            },
        ),
        field_says(
            "many-options",
            "to have more options than a menu has",
            Expect::Refused("more than 256 options"),
            |field| {
                field["kind"] = "select".into();
                field["options"] = (0..5_000).map(|n| json!({"value": format!("{n}"), "label": "L"})).collect();
            },
        ),
    ]
}

fn words() -> Vec<Hostile> {
    const CONTROL: Expect = Expect::Refused("control characters");
    vec![
        says("name-that-clears-the-screen", "to rewrite the terminal that lists it", CONTROL, |description| {
            description["name"] = "\u{1b}[2J\u{1b}[1;31mGranted\u{1b}[0m".into();
        }),
        says("name-that-runs-backwards", "to read as another name", CONTROL, |description| {
            description["name"] = "\u{202e}topsbuH".into();
        }),
        field_says("label-that-clears-the-screen", "to rewrite the terminal that inspects it", CONTROL, |field| {
            field["label"] = "\u{1b}]0;owned\u{7}".into();
        }),
        field_says(
            "field-that-clears-the-screen",
            "to rewrite the terminal by the very reason of its refusal",
            Expect::Refused("a field name must be"),
            |field| {
                field["name"] = "\u{1b}[2J\u{202e}key".into();
            },
        ),
        field_says(
            "pattern-of-lines",
            "to have a parser's message of several lines in the log",
            Expect::Refused("pattern does not compile"),
            |field| {
                field["pattern"] = "(?x)\\q".into();
            },
        ),
        field_says("option-with-a-line", "to forge a line of its own in a message", CONTROL, |field| {
            field["kind"] = "select".into();
            field["secret"] = false.into();
            field["options"] = json!([{"value": "a\r\nadmin: granted", "label": "L"}]);
        }),
        says(
            "docs-with-a-line",
            "to have a line of its own where its documentation is linked",
            CONTROL,
            |description| {
                description["docs"] = "https://hostile.example.com/\r\nx: y".into();
            },
        ),
        field_says("label-that-is-markup", "to run a script where its label is shown", serves(), |field| {
            field["label"] = "<img src=x onerror=alert(1)>".into();
        }),
        says(
            "icon-that-is-a-script",
            "to run a script where its icon is shown",
            Expect::Refused("icon: it must be an https or data:image URL"),
            |description| {
                description["icon"] = "javascript:alert(1)".into();
            },
        ),
        says("slug-that-is-a-path", "to be kept outside of its folder", Expect::Refused("slug: "), |description| {
            description["slug"] = "../../etc/cron.d/x".into();
        }),
        says(
            "name-in-no-encoding",
            "to have a name that is no text",
            Expect::Refused("invalid utf-8"),
            |description| {
                description["name"] = json!({"$bytes": [0x66, 0xff, 0xfe]});
            },
        ),
        says(
            "unknown-kind",
            "to have a field of a kind that is not there",
            Expect::Refused("discriminant"),
            |description| {
                description["auth-types"][0]["fields"][0]["kind"] = json!({"$case": 99});
            },
        ),
        says(
            "twice-the-field",
            "to have two fields of a name, so that two readers pick different ones",
            Expect::Refused("field `keybased.api_key` is described twice"),
            |description| {
                description["auth-types"][0]["fields"] = json!([field("api_key"), field("api_key")]);
            },
        ),
        says(
            "twice-the-auth-type",
            "to have two auth types of a name",
            Expect::Refused("auth type `keybased` is described twice"),
            |description| {
                let auth_type = description["auth-types"][0].clone();
                description["auth-types"] = json!([auth_type.clone(), auth_type]);
            },
        ),
        hostile(
            "description-out-of-range",
            "to describe itself from behind its memory",
            Expect::Refused("out of bounds"),
            |mut plugin| {
                plugin.describe = "(i32.const 0x7ffffff0)".to_owned();
                plugin.build()
            },
        ),
    ]
}

fn patterns() -> Vec<Hostile> {
    vec![
        field_says(
            "pattern-too-large",
            "to take memory by a pattern",
            Expect::Refused("pattern does not compile"),
            |field| {
                field["pattern"] = r"(\w{1000}){1000}".into();
            },
        ),
        field_says(
            "pattern-too-deep",
            "to overflow the stack by a pattern",
            Expect::Refused("pattern does not compile"),
            |field| {
                field["pattern"] = format!("{}a{}", "(".repeat(2_000), ")".repeat(2_000)).into();
            },
        ),
        field_says("pattern-that-backtracks", "to take for ever on a value that does not match", serves(), |field| {
            field["pattern"] = "(([a-z]|[a-z-])+)+(x+x+)*.*".into();
        }),
        says(
            "many-patterns",
            "to keep the host compiling a thousand patterns, none too large",
            Expect::Refused("patterns"),
            |description| {
                let field = |n: usize| json!({"name": format!("f{n}"), "label": "L", "secret": true, "pattern": "\\w{1,6}x", "hint": "\\w{1,6}x"});
                let auth_type = |n: usize| json!({"name": format!("t{n}"), "label": "L", "fields": (0..64).map(field).collect::<Vec<_>>()});
                description["auth-types"] = (0..16).map(auth_type).collect();
            },
        ),
        says(
            "many-large-patterns",
            "to keep the host compiling dozens of patterns of hundreds of kilobytes",
            Expect::Refused("pattern"),
            |description| {
                let field =
                    |n: usize| json!({"name": format!("f{n}"), "label": "L", "pattern": "\\w{1,10}[a-z]{1,200}"});
                description["auth-types"][0]["fields"] = (0..60).map(field).collect();
            },
        ),
    ]
}

/// Slugs, grants and requests that a description must not obtain.
fn roles() -> Vec<Hostile> {
    vec![
        says(
            "anothers-slug",
            "to be given another app's credentials",
            Expect::Waits("duplicate", "both say that they are `hubspot`"),
            |description| {
                description["slug"] = "hubspot".into();
            },
        ),
        says("grant-for-everything", "to send credentials anywhere", serves(), |description| {
            description["grants"] = json!([{"host": "*", "methods": ["get"], "path-prefix": "/"}]);
        }),
        says("grant-for-metadata", "to reach the machine's own metadata", serves(), |description| {
            description["grants"] = json!([{"host": "169.254.169.254", "methods": ["get"], "path-prefix": "/"}]);
        }),
        says("grant-that-escapes", "to widen a grant by its path", Expect::Refused("path prefix"), |description| {
            description["grants"][0]["path-prefix"] = "/v1/../admin".into();
        }),
        hostile("request-in-describe", "to send something before anything is granted", serves(), |mut plugin| {
            plugin.describe =
                "(call $send (global.get $REQUEST) (global.get $FREE)) (global.get $DESCRIPTION)".to_owned();
            plugin.build()
        }),
        hostile(
            "reads-secrets",
            "to be given secrets as text by asking for it",
            Expect::Waits("pending", "must be granted by name"),
            |mut plugin| {
                plugin.description = description(&plugin.slug);
                plugin.description["reads-secrets"] = true.into();
                plugin.build()
            },
        ),
    ]
}

fn serves() -> Expect {
    Expect::Answers { status: 200, contains: "Token migrated successfully" }
}
