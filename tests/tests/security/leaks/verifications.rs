//! Credentials that are verified by a provider that echoes them, or does not respond.

use super::hunt::Hunt;
use super::leaky_provider::{PLACES, SPELLINGS};

pub(super) async fn verified_and_stored(hunt: &mut Hunt) {
    for place in ["bearer", "basic", "header", "query", "path", "form", "json"] {
        let status = hunt.migrate(place, "none", "verified").await;
        assert_eq!(status, 200, "{place}");
    }
    for prefer in ["verify=only", "verify=skip", "on-unverified=store"] {
        for verdict in ["verified", "unexpected"] {
            let request = hunt.request(&hunt.leaky("header", "text raw", verdict));
            let request = request.header("prefer", &format!("{prefer}, account-change=replace"));
            hunt.send(&format!("{prefer}, {verdict}"), request).await;
        }
    }
}

pub(super) async fn echoed(hunt: &mut Hunt) {
    let verdicts = ["unexpected", "rejected", "scopes", "verified", "panic"];
    let ways = ["bearer", "basic", "header", "query", "path", "form", "json"];
    let mut cases = 0;
    // Places in the inner loop: those that break the exchange come one or two at a time, so that the host does not
    // count as down after too many failures.
    for spelling in SPELLINGS {
        for place in PLACES {
            let is_broken = matches!(spelling, "quoted-printable" | "wrapped" | "utf-16");
            let fits = match place {
                // Escapes are special in JSON only, and a text that is not a JSON string cannot occur there.
                "json" | "member" => !is_broken && spelling != "html",
                "text" | "chunks" | "drip" | "cut-short" => spelling != "json-escapes",
                // Nor can a line break occur in a header.
                _ => !is_broken && spelling != "json-escapes",
            };
            if !fits {
                continue;
            }
            let (echo, before) = (format!("{place} {spelling}"), hunt.world.providers.received_total());
            let request = hunt.request(&hunt.leaky(ways[cases % ways.len()], &echo, verdicts[cases % 5]));
            let request = request.header("prefer", "account-change=replace");
            hunt.send(&format!("{echo} {}", verdicts[cases % 5]), request).await;
            assert_eq!(hunt.world.providers.received_total() - before, 2, "{echo} was asked for");
            cases += 1;
        }
    }
    assert!(cases > 210, "{cases}");
}

pub(super) async fn unanswered(hunt: &mut Hunt) {
    for place in ["ungranted", "nowhere", "panic", "loop"] {
        assert!(hunt.migrate(place, "none", "unexpected").await >= 500, "{place}");
    }
    for echo in ["closed", "down", "limited", "slow", "none"] {
        let (before, seen) = (hunt.world.providers.received_total(), hunt.migrate("header", echo, "unexpected").await);
        assert!(seen >= 500, "{echo}: {seen}");
        assert_eq!(hunt.world.providers.received_total() - before, 2, "{echo} was asked for");
    }
}
