//! How many connections there can be before the process has no file descriptor left for anything else.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections': the store, sockets that are listened on, watched folders, the log.
const OWN: usize = 64;

/// How many connections fit beside `others` further sockets. A store that cannot open a file stops the server, so clients
/// must not be able to use up what it needs. The system's soft limit is raised to the hard one before.
pub fn room_for_connections(others: usize) -> usize {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { limits.maximum } else { limits.current };
    // "Unlimited" is a limit that is never reached.
    room(current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)), others)
}

fn room(limit: usize, others: usize) -> usize {
    // Where the limit is too low for everything, clients get the smaller part of it.
    limit.saturating_sub(OWN.saturating_add(others)).max(limit / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_get_what_is_left_and_never_all() {
        for (limit, others, expected) in
            [(1024, 256, 704), (1_048_576, 256, 1_048_256), (400, 256, 100), (64, 256, 16), (1, 256, 1), (0, 0, 1)]
        {
            assert_eq!(room(limit, others), expected, "{limit}");
        }
    }
}
