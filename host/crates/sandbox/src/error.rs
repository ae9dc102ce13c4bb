//! Errors of the sandbox, of a component, and of a call.

use std::time::Duration;

use super::complexity::ComplexityError;
use keyferry_egress::Contact;

/// A sandbox that cannot be set up, or a component that cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SandboxError {
    #[error("the WebAssembly runtime did not start: {0}")]
    Engine(String),
    #[error("it does not compile: {0}")]
    Compile(String),
    #[error(transparent)]
    Shape(#[from] ComplexityError),
    #[error("it does not fit the plugin contract: {0}")]
    Contract(String),
}

/// A call that gave no verdict. None of these says anything about the credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CallError {
    #[error("all {slots} plugin slots are taken and {queue} calls are waiting; try again in {} s", retry_after.as_secs())]
    Busy { slots: usize, queue: usize, retry_after: Duration },
    #[error("the plugin did not finish within {} s", wall.as_secs_f32())]
    Timeout { wall: Duration },
    #[error("the plugin used more than {} s of processor time", cpu.as_secs_f32())]
    Cpu { cpu: Duration },
    #[error("the plugin used more than {fuel} units of fuel")]
    Fuel { fuel: u64 },
    #[error("the plugin failed: {reason}")]
    Trapped { reason: String },
    #[error("the plugin's description is not valid: {problem}")]
    Description { problem: String },
}

/// A renewal that gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct RenewalCallError {
    /// What went wrong.
    pub error: CallError,
    /// Host and progress of the plugin's last request; `None` if it made none, so that nothing was spent.
    pub contact: Option<Contact>,
}

impl CallError {
    /// Stable text for programs: `busy`, `timeout`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Timeout { .. } => "timeout",
            Self::Cpu { .. } | Self::Fuel { .. } => "out_of_processor_time",
            Self::Trapped { .. } => "trapped",
            Self::Description { .. } => "bad_description",
        }
    }
}
