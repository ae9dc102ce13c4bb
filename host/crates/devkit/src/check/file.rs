//! Checks of a file that do not run it.

use super::code::{Code, Finding};
use keyferry_sandbox::{ComponentInterface, ImportError, OpenError, Wasi};

/// Looks at imports and exports.
pub(super) fn surface(bytes: &[u8]) -> Result<Vec<Finding>, Finding> {
    let surface = ComponentInterface::read(bytes).map_err(|error| found(&error))?;
    let mut findings: Vec<Finding> = surface.objections().iter().map(found).collect();
    if surface.wasi() == Wasi::Needed {
        let names: Vec<&str> =
            surface.imports.iter().map(String::as_str).filter(|name| name.starts_with("wasi:")).collect();
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

/// Why a file could not be put on the workbench.
pub(super) fn unopened(error: &OpenError) -> Finding {
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
