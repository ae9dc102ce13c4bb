//! [`ComponentInterface`]: imports and exports of a component, and which of them are allowed. Read from the file before anything
//! is compiled or run.

use wasmparser::{Encoding, Parser, Payload};

/// The package of the contract, without its version.
const CONTRACT: &str = "keyferry:plugin/";
/// The interfaces of the contract that a plugin may import.
const INTERFACES: [&str; 5] = ["secrets", "http", "clock", "random", "log"];
/// The contract's major versions that this host speaks.
const MAJOR: &str = "1";
/// The WASI packages that a `wasi = "sealed"` grant links, without any capability.
const SEALED_WASI: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// Whether a component imports WASI besides the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wasi {
    /// It imports no WASI.
    Absent,
    /// It does, and runs only under a grant `wasi = "sealed"`.
    Needed,
}

/// Why a file is not an admissible component.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ImportError {
    #[error("it is not WebAssembly: {0}")]
    NotWasm(String),
    #[error("it is a core module, not a component; `keyferry plugin build` makes a component of a crate")]
    CoreModule,
    #[error(
        "it imports `{import}`, and a plugin may import only keyferry:plugin/{{secrets,http,clock,random,log}}@1; \
         remove what needs it"
    )]
    Forbidden { import: String },
    #[error(
        "it was built for version {built} of the plugin contract, and this host speaks version 1; rebuild it with \
         keyferry-plugin 0.1 (wit/v1)"
    )]
    OtherContract { built: String },
    #[error("it exports no `keyferry:plugin/app@1`, so there is nothing to call; is it a Keyferry plugin?")]
    NoApp,
}

/// Checks a component's imports and exports.
///
/// # Errors
/// The first thing that is not allowed, by name.
pub(super) fn check(bytes: &[u8]) -> Result<Wasi, ImportError> {
    let interface = ComponentInterface::read(bytes)?;
    match interface.violations().into_iter().next() {
        Some(violation) => Err(violation),
        None => Ok(interface.wasi()),
    }
}

/// The imports and exports of a component, as its sections list them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComponentInterface {
    /// The names of its imports, such as `keyferry:plugin/http@1.0.0`.
    pub imports: Vec<String>,
    /// The names of its exports.
    pub exports: Vec<String>,
}

impl ComponentInterface {
    /// Reads a component's sections.
    ///
    /// # Errors
    /// If the bytes are no component.
    pub fn read(bytes: &[u8]) -> Result<Self, ImportError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(ImportError::NotWasm("it does not begin with `\\0asm`".to_owned()));
        }
        let mut interface = Self::default();
        let not_wasm = |error: wasmparser::BinaryReaderError| {
            // Some of its messages have several lines.
            let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            ImportError::NotWasm(format!("{message} (at byte {})", error.offset()))
        };
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(not_wasm)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(ImportError::CoreModule);
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        interface.imports.push(import.map_err(not_wasm)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        interface.exports.push(export.map_err(not_wasm)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(interface)
    }

    /// The version of the contract that it was built for: `1.0.0`.
    pub fn contract(&self) -> Option<&str> {
        let names = self.exports.iter().chain(&self.imports);
        names.filter_map(|name| name.strip_prefix(CONTRACT)?.split_once('@')).map(|(_, version)| version).next()
    }

    /// All violations of the contract: imports that are not allowed, another contract version, no exported app.
    pub fn violations(&self) -> Vec<ImportError> {
        let mut found: Vec<ImportError> = self.imports.iter().filter_map(|name| check_name(name).err()).collect();
        let exports: Vec<_> = self.exports.iter().map(|name| check_export(name)).collect();
        if !exports.iter().any(|export| matches!(export, Ok(true) | Err(_))) {
            found.push(ImportError::NoApp);
        }
        found.extend(exports.into_iter().filter_map(Result::err));
        // Each interface says the same of its version.
        let mut seen = std::collections::HashSet::new();
        found.retain(|error| seen.insert(error.to_string()));
        found
    }

    /// Whether it imports WASI.
    pub fn wasi(&self) -> Wasi {
        let needs = |name: &String| SEALED_WASI.iter().any(|package| name.starts_with(package));
        if self.imports.iter().any(needs) { Wasi::Needed } else { Wasi::Absent }
    }
}

fn check_name(name: &str) -> Result<Wasi, ImportError> {
    if let Some(rest) = name.strip_prefix(CONTRACT) {
        let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
        if INTERFACES.contains(&interface) {
            return check_version(version).map(|()| Wasi::Absent);
        }
    }
    if SEALED_WASI.iter().any(|package| name.starts_with(package)) {
        return Ok(Wasi::Needed);
    }
    Err(ImportError::Forbidden { import: name.chars().take(200).collect() })
}

fn check_export(name: &str) -> Result<bool, ImportError> {
    match name.strip_prefix(CONTRACT).and_then(|rest| rest.strip_prefix("app")) {
        Some(version) => check_version(version.trim_start_matches('@')).map(|()| true),
        None => Ok(false),
    }
}

fn check_version(version: &str) -> Result<(), ImportError> {
    if version.split('.').next() == Some(MAJOR) {
        Ok(())
    } else {
        Err(ImportError::OtherContract { built: version.chars().take(40).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(body: &str) -> Vec<u8> {
        wat::parse_str(format!("(component {body})")).unwrap()
    }

    #[test]
    fn admits_the_five_interfaces_and_nothing_else() {
        let app = r#"(instance $i) (export "keyferry:plugin/app@1.0.0" (instance $i))"#;
        let cases = [
            (format!(r#"(import "keyferry:plugin/http@1.0.0" (instance)) {app}"#), Ok(Wasi::Absent)),
            (format!(r#"(import "keyferry:plugin/log@1.7.2" (instance)) {app}"#), Ok(Wasi::Absent)),
            (format!(r#"(import "wasi:io/poll@0.2.6" (instance)) {app}"#), Ok(Wasi::Needed)),
            (format!(r#"(import "wasi:http/types@0.2.6" (instance)) {app}"#), Err("`wasi:http/types@0.2.6`")),
            (format!(r#"(import "keyferry:plugin/files@1.0.0" (instance)) {app}"#), Err("files@1.0.0`")),
            (format!(r#"(import "env" (func)) {app}"#), Err("`env`")),
            (format!(r#"(import "keyferry:plugin/http@2.0.0" (instance)) {app}"#), Err("built for version 2.0.0")),
            (String::new(), Err("exports no")),
            // A nested component's imports are the outer one's business: it has to supply them.
            (format!(r#"(component (import "env" (func))) {app}"#), Ok(Wasi::Absent)),
        ];
        for (body, expected) in cases {
            match (check(&component(&body)), expected) {
                (Ok(wasi), Ok(expected)) => assert_eq!(wasi, expected, "{body}"),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{body}: {error}"),
                (got, expected) => panic!("{body}: {got:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn tells_a_core_module_and_rubbish_apart() {
        assert!(matches!(check(&wat::parse_str("(module)").unwrap()), Err(ImportError::CoreModule)));
        assert!(matches!(check(b"\0asm rubbish"), Err(ImportError::NotWasm(_))));
        assert!(matches!(check(b""), Err(ImportError::NotWasm(_) | ImportError::NoApp)));
    }
}
