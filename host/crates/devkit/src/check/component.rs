//! Checks of a component that do not run it.

use super::code::{Code, Finding};
use keyferry_sandbox::{ComponentInterface, ImportError, OpenError, Wasi};

/// Checks imports and exports.
pub(super) fn interface(bytes: &[u8]) -> Result<Vec<Finding>, Finding> {
    let interface = ComponentInterface::read(bytes).map_err(|error| found(&error))?;
    let mut findings: Vec<Finding> = interface.violations().iter().map(found).collect();
    if interface.wasi() == Wasi::Needed {
        let names: Vec<&str> =
            interface.imports.iter().map(String::as_str).filter(|name| name.starts_with("wasi:")).collect();
        findings.push(Finding::new(Code::NeedsWasi, None, format!("it imports {}", names.join(", "))));
    }
    Ok(findings)
}

fn found(error: &ImportError) -> Finding {
    let (code, place) = match error {
        ImportError::NotWasm(_) | ImportError::CoreModule | ImportError::NoApp => (Code::NotAComponent, None),
        ImportError::Forbidden { import } => (Code::ForbiddenImport, Some(import.clone())),
        ImportError::OtherContract { .. } => (Code::OtherContract, None),
    };
    Finding::new(code, place, error.to_string())
}

/// The finding of a component that could not be loaded.
pub(super) fn not_loaded(error: &OpenError) -> Finding {
    match error {
        OpenError::TooLarge { .. } => Finding::new(Code::TooLarge, None, error.to_string()),
        OpenError::Imports(error) => found(error),
        OpenError::Sandbox(error) => Finding::new(Code::DoesNotCompile, None, error.to_string()),
        OpenError::Describe { requests: 1.., .. } => {
            Finding::new(Code::DescribeRequests, Some("describe".to_owned()), error.to_string())
        }
        OpenError::Describe { error, log, .. } => {
            let log = log.iter().map(|line| format!("; it logged: {line}")).collect::<String>();
            Finding::new(Code::NoDescription, Some("describe".to_owned()), format!("{error}{log}"))
        }
    }
}
