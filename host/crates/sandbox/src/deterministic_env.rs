//! [`DeterministicEnv`]: a fixed clock and reproducible random bytes.
//!
//! `describe` runs with these, on a server too: what an operator grants to a file is what that file said, and one that could
//! tell the time or throw dice would say something else after it was granted, another app's slug for example. So what it says
//! follows from its bytes alone.

use std::time::Duration;

use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// 2026-01-01T00:00:00Z: the time of the clock where no test sets it.
pub const TRIAL_TIME_MS: u64 = 1_767_225_600_000;

/// Bytes after which the randomness of sealed WASI begins again.
const WASI_RANDOM: usize = 4096;

/// A fixed clock and fixed random bytes for a plugin.
#[derive(Debug, Clone)]
pub(super) struct DeterministicEnv {
    /// What its clock says, in milliseconds since 1970.
    pub(super) now_ms: u64,
    /// The state of what it takes for random.
    random: u64,
}

impl DeterministicEnv {
    /// A point in time, and the random bytes that belong to a seed.
    pub(super) fn new(now_ms: u64, seed: u64) -> Self {
        Self { now_ms, random: seed }
    }

    /// Fills a buffer with bytes that look random and are the same each time (SplitMix64, Steele et al. 2014).
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.random;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            for (byte, random) in chunk.iter_mut().zip((z ^ (z >> 31)).to_le_bytes()) {
                *byte = random;
            }
        }
    }

    /// Gives the same to a component under sealed WASI.
    pub(super) fn seal(&self, wasi: &mut WasiCtxBuilder) {
        let mut bytes = vec![0; WASI_RANDOM];
        self.clone().fill(&mut bytes);
        wasi.wall_clock(Stopped(self.now_ms))
            .monotonic_clock(Stopped(self.now_ms))
            .secure_random(Deterministic::new(bytes.clone()))
            .insecure_random(Deterministic::new(bytes))
            .insecure_random_seed(u128::from(self.random));
    }
}

impl Default for DeterministicEnv {
    fn default() -> Self {
        Self::new(TRIAL_TIME_MS, 0)
    }
}

/// A clock that always shows the same number of milliseconds.
struct Stopped(u64);

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.saturating_mul(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_they_go_on() {
        let bytes = |fixed: &mut DeterministicEnv| {
            let mut bytes = [0; 12];
            fixed.fill(&mut bytes);
            bytes
        };
        let (mut one, mut other) = (DeterministicEnv::default(), DeterministicEnv::default());
        let first = bytes(&mut one);
        assert_eq!(first, bytes(&mut other));
        assert_ne!(first, bytes(&mut one));
        assert_ne!(first, bytes(&mut DeterministicEnv::new(0, 1)));
    }
}
