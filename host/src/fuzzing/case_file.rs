//! A plugin author's case file.

use std::path::Path;

use keyferry_devkit::cases::{CaseError, parse_case};

/// A case file is read, or refused at one of its lines.
pub fn case_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parse_case(Path::new("cases/fuzzed.toml"), text) {
        Ok(case) => assert_eq!(case.name, "fuzzed"),
        Err(CaseError::Wrong { line, problem, .. }) => {
            assert!((1..=text.split('\n').count()).contains(&line), "line {line}: {problem}");
            assert!(!problem.is_empty() && !problem.contains('\n'), "{problem}");
        }
        Err(other) => unreachable!("{other}"),
    }
}
