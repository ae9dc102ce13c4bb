//! A call that is tried out: what would differ from run to run is fixed, and what the plugin does is recorded.

use super::sandbox::CallError;

/// What one call is given and leaves behind.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// What the plugin's clock says, in milliseconds since 1970.
    pub(super) now_ms: u64,
    /// The state of what the plugin takes for random.
    random: u64,
    /// How often it asked for a request.
    pub(super) requests: u32,
    /// What it logged, redacted.
    pub(super) log: Vec<LogLine>,
}

/// One line of a plugin's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: tracing::Level,
    /// The line, without secrets.
    pub text: String,
}

/// The result of a call that was tried out, and what it took.
#[derive(Debug)]
pub struct Trialled<T> {
    /// What came of it.
    pub result: Result<T, CallError>,
    /// What it took.
    pub usage: Usage,
    /// What the plugin logged, redacted.
    pub log: Vec<LogLine>,
}

/// What a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Instructions, nearly: the runtime counts one unit for most of them. Equal work is equal fuel on every machine.
    pub fuel: u64,
    /// The most bytes of linear memory in use at once.
    pub memory_bytes: usize,
    /// How often the plugin asked for a request.
    pub requests: u32,
}

impl Trial {
    /// A trial at a point in time, with the random bytes that belong to a seed.
    pub(super) fn new(now_ms: u64, seed: u64) -> Self {
        Self { now_ms, random: seed, ..Self::default() }
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
}

impl<T> Trialled<T> {
    pub(super) fn new(result: Result<T, CallError>, fuel: u64, memory_bytes: usize, trial: Trial) -> Self {
        Self { result, usage: Usage { fuel, memory_bytes, requests: trial.requests }, log: trial.log }
    }
}
