//! Whether the duration of the look-up of an API key depends on the key.

use std::error::Error;
use std::fmt::Write as _;

use keyferry_tests::World;
use keyferry_tests::leaks::timing::{Class, Comparison, Keys, TOLD_APART, measure_loopback};

use crate::Timing;

/// The figures of all comparisons.
pub(crate) async fn timing(Timing { lookups, requests }: &Timing) -> Result<String, Box<dyn Error>> {
    println!("the time of look-ups: {lookups} of each class of keys, and {requests} requests");
    let keys = Keys::make().await;
    let careless = keys.measure_careless_lookup(lookups / 4);
    let in_process = keys.measure_lookup(*lookups).await;
    let loopback = measure_loopback(&World::start().await, *requests).await;
    for (what, comparisons) in [("the look-up", &in_process), ("a request", &loopback)] {
        // The first characters of a key must not matter. Whether a record exists does, and the response shows that
        // anyway.
        let begins = |one: &&Comparison| (one.first, one.second) == (Class::UnknownBeginsLive, Class::Unknown);
        match comparisons.iter().find(begins) {
            Some(one) if one.t.abs() > TOLD_APART => {
                return Err(format!("the time of {what} tells how a key begins: t = {:.2}", one.t).into());
            }
            Some(_) => {}
            None => return Err(format!("{what}: there are no figures").into()),
        }
    }
    let mut section = format!(
        "Times of two classes of API keys side by side, compared by Welch's t. Whether a key begins like an existing \
         one must \
         not be measurable (|t| at most {TOLD_APART}). Whether a key exists may be, because the response says so. An \
         unsafe \
         look-up is measured as well, to show that the measurement detects a difference.\n\n\
         | measured | a key that is | ns | against one that is | ns | t |\n|---|---|---|---|---|---|\n"
    );
    let parts = [
        ("an unsafe look-up", careless),
        ("the look-up of a request: parse, hash, find, compare", in_process),
        ("whole requests over loopback", loopback),
    ];
    for (measured, comparisons) in parts {
        for Comparison { first, second, means: [one, other], t } in comparisons {
            writeln!(section, "| {measured} | {first} | {one:.0} | {second} | {other:.0} | {t:.2} |")?;
        }
    }
    Ok(section)
}
