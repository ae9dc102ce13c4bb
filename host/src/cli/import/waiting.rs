//! Lines about rows that wait: why, since when, and when they are tried next.

use serde_json::Value;

use crate::cli::grouping::grouped;
use crate::cli::members::{number, text};
use crate::cli::term::harmless;

/// The most characters of a cause beside a bar.
const MAX_CAUSE: usize = 120;

/// A line for each reason for which rows wait, with the apps that it concerns.
pub(super) fn lines(import: &Value) -> Vec<String> {
    let named = |waiting: &Value| {
        let slug = text(waiting, "slug").to_owned();
        (slug.clone(), slug, why(waiting))
    };
    let line = |(slugs, why): (Vec<String>, String)| {
        let concerned = || apps(import).filter(|waiting| slugs.iter().any(|slug| slug == text(waiting, "slug")));
        let first = |name: &str| clock(concerned().map(|waiting| text(waiting, name)).min().unwrap_or_default());
        let rows: u64 = concerned().map(|waiting| number(waiting, "rows")).sum();
        let (slugs, since, next) = (slugs.join(", "), first("since"), first("until"));
        format!("{slugs}: {rows} rows wait since {since}: {why}; next try at {next}")
    };
    grouped(apps(import).map(named), "APP").into_iter().map(line).collect()
}

/// The same, short enough for a bar.
pub(super) fn short(import: &Value, now: jiff::Timestamp) -> Vec<String> {
    let short = |waiting: &Value| {
        let why: String = why(waiting).chars().take(MAX_CAUSE).collect();
        let until = text(waiting, "until").parse::<jiff::Timestamp>().ok();
        let next = until.map_or(0, |until| until.duration_since(now).as_secs().max(0));
        format!("({} waits: {why}; next try in {next} s)", text(waiting, "slug"))
    };
    apps(import).map(short).collect()
}

/// What each app's rows wait for, without the times.
pub(super) fn causes(import: &Value) -> Vec<String> {
    apps(import).map(|waiting| format!("{} {}", text(waiting, "slug"), why(waiting))).collect()
}

fn apps(import: &Value) -> impl Iterator<Item = &Value> {
    import.get("waiting").and_then(Value::as_array).into_iter().flatten()
}

/// The cause, and what kind of cause it is.
fn why(waiting: &Value) -> String {
    let what = match text(waiting, "reason") {
        "rate_limit" => "rate limit",
        "server" => "this server",
        reason => reason,
    };
    match text(waiting, "detail").trim() {
        "" => what.to_owned(),
        detail => format!("{what}, {}", harmless(detail)),
    }
}

/// The time of day of a moment: `12:04:05Z`.
fn clock(moment: &str) -> String {
    let time = moment.split_once('T').map_or(moment, |(_, time)| time);
    format!("{}Z", time.split(['.', 'Z']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_that_wait_are_told_with_the_cause_and_the_next_try() {
        let import = json!({"waiting": [{
            "slug": "hubspot", "reason": "provider", "rows": 12, "since": "2026-11-29T12:03:04.567Z",
            "until": "2026-11-29T12:04:05.678Z", "detail": "connect ECONNREFUSED api.hubapi.com:443",
        }]});
        let line = "hubspot: 12 rows wait since 12:03:04Z: provider, connect ECONNREFUSED api.hubapi.com:443; next try at 12:04:05Z";
        assert_eq!(lines(&import), [line]);
        let app = |slug: &str, rows: u32, since: &str| {
            let detail = format!("connect ECONNREFUSED 127.0.0.1:9 for {slug}");
            json!({"slug": slug, "reason": "provider", "rows": rows, "since": since, "until": "2026-11-29T12:05:00Z",
                "detail": detail})
        };
        let slack = json!({"slug": "slack", "reason": "rate_limit", "rows": 1, "since": "2026-11-29T12:00:09Z",
            "until": "2026-11-29T12:01:00Z", "detail": ""});
        let several = json!({"waiting":
            [app("aws", 1, "2026-11-29T12:00:07Z"), slack, app("stripe", 2, "2026-11-29T12:00:05Z")]});
        let told = "aws, stripe: 3 rows wait since 12:00:05Z: provider, connect ECONNREFUSED 127.0.0.1:9 for APP; next try at 12:05:00Z";
        let other = "slack: 1 rows wait since 12:00:09Z: rate limit; next try at 12:01:00Z";
        assert_eq!(lines(&several), [told, other]);
        let now = "2026-11-29T12:03:50.678Z".parse().unwrap();
        let told = "(hubspot waits: provider, connect ECONNREFUSED api.hubapi.com:443; next try in 15 s)";
        assert_eq!(short(&import, now), [told]);
        let late = "2026-11-29T13:00:00Z".parse().unwrap();
        assert!(short(&import, late)[0].ends_with("next try in 0 s)"), "it is being tried");
        assert_eq!(causes(&import), ["hubspot provider, connect ECONNREFUSED api.hubapi.com:443"]);
        assert!(lines(&json!({"waiting": []})).is_empty() && lines(&json!({})).is_empty());
    }
}
