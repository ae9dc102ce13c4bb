//! The file that says what each plugin may do.

use std::path::Path;

use keyferry_sandbox::{Digest, GrantLock, GrantState};

/// A lock is read or refused at one of its lines; what is read is written alike, and grants nothing that was revoked.
pub fn lock_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = Path::new("keyferry.lock");
    let lock = match GrantLock::parse(path, text) {
        Ok(lock) => lock,
        Err(error) => {
            let error = error.to_string();
            let line =
                error.strip_prefix("keyferry.lock:").and_then(|rest| rest.split_once(':')?.0.parse::<usize>().ok());
            assert!(line.is_some_and(|line| (1..=text.split('\n').count()).contains(&line)), "{error}");
            return;
        }
    };
    let written = toml::to_string(&lock).expect("a lock can be written");
    let again = GrantLock::parse(path, &written).expect("what was written is read");
    assert_eq!(again.all(), lock.all(), "{written}");
    assert!(lock.of(&Digest::of(b"a component that no lock names")).is_none());
    for grant in lock.all() {
        let found = lock.of(&grant.sha256).expect("an entry is found by its digest");
        assert!(lock.place(&grant.sha256).starts_with("keyferry.lock:"));
        let ever = [jiff::Timestamp::MIN, jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::MAX];
        if found.state == GrantState::Revoked {
            assert!(!ever.iter().any(|now| found.is_in_force(*now)), "a revoked grant is in force");
        }
        if let Some(end) = found.ends_at {
            assert!(!found.is_in_force(end), "a grant is in force at its end");
        }
    }
}
