//! Limits of one call of a plugin, and the limiter that the runtime asks.

use std::time::Duration;

use wasmtime::ResourceLimiter;

const MIB: usize = 1024 * 1024;

/// The limits of every call. All can be set, none can be switched off.
#[derive(Debug, Clone)]
pub struct SandboxLimits {
    /// Bytes of linear memory of one instance, all its memories together.
    pub memory_bytes: usize,
    /// Elements of one table.
    pub table_elements: usize,
    /// Core instances in one component. A plugin in Python, as its toolchain links it, has about 40.
    pub core_instances: usize,
    /// Time on the clock of one call, waiting for providers included.
    pub wall: Duration,
    /// Time in the plugin's own code of one call. Measured in epoch ticks of 10 ms.
    pub cpu: Duration,
    /// Bytes that may be copied out of the plugin by one host call.
    pub hostcall_bytes: usize,
    /// Log lines of one call; lines past that are dropped.
    pub log_lines: usize,
    /// Bytes of one log line.
    pub log_line_bytes: usize,
    /// Handles of one call, given and minted ones together.
    pub handles: usize,
    /// Bytes of a component file.
    pub file_bytes: usize,
    /// Calls that run at once.
    pub slots: usize,
    /// Maximum number of calls that wait for a slot; further calls are refused.
    pub queue: usize,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 32 * MIB,
            table_elements: 10_000,
            core_instances: 64,
            wall: Duration::from_secs(10),
            cpu: Duration::from_secs(2),
            hostcall_bytes: MIB,
            log_lines: 64,
            log_line_bytes: 1024,
            handles: 256,
            file_bytes: 24 * MIB,
            slots: 256,
            queue: 1024,
        }
    }
}

/// Decides for the runtime whether an instance may grow.
#[derive(Debug)]
pub(super) struct InstanceLimits {
    memory_bytes: usize,
    memory_used: usize,
    memory_peak: usize,
    table_elements: usize,
    core_instances: usize,
}

impl InstanceLimits {
    pub(super) fn new(limits: &SandboxLimits, memory_bytes: usize) -> Self {
        Self {
            memory_bytes,
            memory_used: 0,
            memory_peak: 0,
            table_elements: limits.table_elements,
            core_instances: limits.core_instances,
        }
    }

    /// The most bytes that were in use at once.
    pub(super) fn memory_peak(&self) -> usize {
        self.memory_peak
    }
}

impl ResourceLimiter for InstanceLimits {
    fn memory_growing(&mut self, current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        // Several memories share the one budget, so a component cannot multiply it by having many.
        let used = self.memory_used.saturating_sub(current).saturating_add(desired);
        let allowed = used <= self.memory_bytes;
        if allowed {
            self.memory_used = used;
            self.memory_peak = self.memory_peak.max(used);
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= self.table_elements)
    }

    fn instances(&self) -> usize {
        self.core_instances
    }

    fn tables(&self) -> usize {
        self.core_instances
    }

    fn memories(&self) -> usize {
        self.core_instances
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_memories_share_one_budget() {
        let mut limits = InstanceLimits::new(&SandboxLimits::default(), 100);
        assert!(limits.memory_growing(0, 60, None).unwrap());
        assert!(!limits.memory_growing(0, 60, None).unwrap());
        assert!(limits.memory_growing(60, 100, None).unwrap());
        assert!(!limits.memory_growing(0, 1, None).unwrap());
    }
}
