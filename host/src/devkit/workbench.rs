use crate::plugins::{SandboxError, SandboxLimits, Workbench};

/// The sandbox that plugins are tried out in: a server's limits, and room for a few calls at once.
///
/// # Errors
/// Where this machine cannot run it.
pub fn workbench() -> Result<Workbench, SandboxError> {
    Workbench::new(SandboxLimits { slots: 4, ..SandboxLimits::default() }, None)
}
