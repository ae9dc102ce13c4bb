//! The credential that every guest verifies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::outcome::{Outcome, Tried as _};

/// The account of the token, which a verdict must name.
pub(super) const ACCOUNT: &str = "portal-4711";
/// A second field of the credential, which the guest does not read.
pub(super) const API_KEY: &str = "ak_live_0123456789abcdef0123456789abcdef";

/// The current time in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A token that is valid for a day.
pub(super) fn token() -> Outcome<String> {
    let day = u64::try_from(Duration::from_secs(24 * 60 * 60).as_millis()).tried("tell a day in ms")?;
    let content = format!("{ACCOUNT}.{}", now_ms() + day);
    let sum: u32 = content.bytes().map(u32::from).sum();
    Ok(format!("{content}.{sum}"))
}

#[cfg(test)]
#[path = "../../guests/verdict.rs"]
mod verdict;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guests_can_read_it_and_nothing_that_was_changed() {
        let token = token().unwrap();
        let read = verdict::read(&token).unwrap();
        assert_eq!(read.account, ACCOUNT);
        assert!(read.ends_at_ms > now_ms());
        for changed in [token.replace("portal", "portam"), format!("{token}0"), ".1.2".to_owned(), String::new()] {
            assert!(verdict::read(&changed).is_none(), "{changed}");
        }
    }
}
