//! How large the parts of a component may be, told before any of it is compiled.
//!
//! A small file can ask for a great deal of compilation: one enormous function, a hundred thousand tiny ones, types nested
//! in types. The limits are generous: the engines of JavaScript and Python, as their toolchains ship them, keep to half.

use wasmparser::{ComponentInstance, Instance, Operator, Parser, Payload};

/// Locals from which on a function's blocks are counted too.
const MANY_LOCALS: u64 = 200;

/// What is counted, and how much of it there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    FunctionBytes,
    Functions,
    CodeBytes,
    Types,
    Modules,
    Components,
    Depth,
    Segments,
    Names,
    Globals,
    Locals,
    Liveness,
    Instances,
}

impl Part {
    fn most(self) -> u64 {
        match self {
            Self::FunctionBytes => 1024 * 1024,
            Self::Functions => 100_000,
            Self::CodeBytes => 32 * 1024 * 1024,
            Self::Types => 20_000,
            Self::Modules => 128,
            Self::Components => 64,
            Self::Depth => 8,
            Self::Segments => 200_000,
            Self::Names => 50_000,
            Self::Globals => 100_000,
            Self::Locals => 10_000,
            Self::Liveness => 20_000_000,
            Self::Instances => 8,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::FunctionBytes => "bytes in one function",
            Self::Functions => "functions",
            Self::CodeBytes => "bytes of code",
            Self::Types => "types",
            Self::Modules => "core modules",
            Self::Components => "nested components",
            Self::Depth => "levels of nesting",
            Self::Segments => "data and element segments",
            Self::Names => "imports, exports and aliases",
            Self::Globals => "globals",
            Self::Locals => "locals in one function",
            Self::Liveness => "locals times blocks in one function",
            Self::Instances => "instances of components",
        }
    }
}

/// A component with too much of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has {found} {}, and {} are allowed; no plugin needs as many", part.words(), part.most())]
pub struct TooMuch {
    part: Part,
    found: u64,
}

/// Counts.
#[derive(Default)]
struct Counts([u64; 13]);

impl Counts {
    fn add(&mut self, part: Part, count: u64) -> Result<(), TooMuch> {
        let slot = match self.0.get_mut(part as usize) {
            Some(slot) => slot,
            None => return Ok(()),
        };
        *slot = slot.saturating_add(count);
        if *slot > part.most() { Err(TooMuch { part, found: *slot }) } else { Ok(()) }
    }
}

/// Checks a component's shape. What is not well formed is for the compiler to tell.
pub(super) fn check(bytes: &[u8]) -> Result<(), TooMuch> {
    let mut counts = Counts::default();
    let mut depth: u64 = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { return Ok(()) };
        let once = |part: Part, found: u64| if found > part.most() { Err(TooMuch { part, found }) } else { Ok(()) };
        match payload {
            Payload::ModuleSection { .. } => {
                depth += 1;
                counts.add(Part::Modules, 1)?;
                once(Part::Depth, depth)?;
            }
            Payload::ComponentSection { .. } => {
                depth += 1;
                counts.add(Part::Components, 1)?;
                once(Part::Depth, depth)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CodeSectionStart { count, .. } => counts.add(Part::Functions, count.into())?,
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let size = range.end.saturating_sub(range.start);
                once(Part::FunctionBytes, size)?;
                counts.add(Part::CodeBytes, size)?;
                let mut locals: u64 = 0;
                for local in body.get_locals_reader().into_iter().flatten() {
                    let Ok((count, _)) = local else { break };
                    locals = locals.saturating_add(count.into());
                }
                once(Part::Locals, locals)?;
                once(Part::Liveness, locals.saturating_mul(blocks(&body, locals)))?;
            }
            Payload::TypeSection(section) => counts.add(Part::Types, section.count().into())?,
            Payload::ComponentTypeSection(section) => counts.add(Part::Types, section.count().into())?,
            Payload::CoreTypeSection(section) => counts.add(Part::Types, section.count().into())?,
            Payload::DataSection(section) => counts.add(Part::Segments, section.count().into())?,
            Payload::ElementSection(section) => counts.add(Part::Segments, section.count().into())?,
            Payload::ImportSection(section) => counts.add(Part::Names, section.count().into())?,
            Payload::ExportSection(section) => counts.add(Part::Names, section.count().into())?,
            Payload::ComponentAliasSection(section) => counts.add(Part::Names, section.count().into())?,
            Payload::ComponentImportSection(section) => counts.add(Part::Names, section.count().into())?,
            Payload::ComponentExportSection(section) => counts.add(Part::Names, section.count().into())?,
            Payload::ComponentInstanceSection(section) => {
                for instance in section.into_iter().flatten() {
                    match instance {
                        // Each is a copy of all that is in the component, and copies can be made of copies: so few that
                        // even 2^(n/2) of them are not many.
                        ComponentInstance::Instantiate { args, .. } => {
                            counts.add(Part::Instances, 1)?;
                            counts.add(Part::Names, length(args.len()))?;
                        }
                        ComponentInstance::FromExports(exports) => counts.add(Part::Names, length(exports.len()))?,
                    }
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.into_iter().flatten() {
                    match instance {
                        Instance::Instantiate { args, .. } => counts.add(Part::Names, length(args.len()))?,
                        Instance::FromExports(exports) => counts.add(Part::Names, length(exports.len()))?,
                    }
                }
            }
            Payload::GlobalSection(section) => counts.add(Part::Globals, section.count().into())?,
            _ => {}
        }
    }
    Ok(())
}

/// Of a function with so many locals that it matters, how many places code can branch to: register allocation keeps, for
/// each, which values are live there.
fn blocks(body: &wasmparser::FunctionBody<'_>, locals: u64) -> u64 {
    if locals < MANY_LOCALS {
        return 1;
    }
    let Ok(operators) = body.get_operators_reader() else { return 1 };
    let is_block = |operator: &Operator<'_>| {
        matches!(operator, Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::BrIf { .. })
    };
    1 + length(operators.into_iter().flatten().filter(is_block).count())
}

fn length(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_would_take_for_ever_to_compile_is_refused_for_what_it_has_too_much_of() {
        let module = |body: &str| format!("(component (core module {body}))");
        let nested = (0..9).fold("(component)".to_owned(), |inner, _| format!("(component {inner})"));
        let cases = [
            (module(&format!("(func {})", "nop ".repeat(1_100_000))), "bytes in one function"),
            (module(&"(func)".repeat(100_001)), "functions"),
            (
                module(&format!("(func (local {}) {})", "i32 ".repeat(2_000), "block end ".repeat(10_001))),
                "locals times blocks",
            ),
            (
                format!("(component (component $c) {})", "(instance (instantiate $c))".repeat(9)),
                "instances of components",
            ),
            (module(&"(type (func))".repeat(20_001)), "types"),
            (module(&format!("(func (local {}))", "i32 ".repeat(50_001))), "locals"),
            (format!("(component {})", "(core module)".repeat(129)), "core modules"),
            (nested, "levels of nesting"),
        ];
        for (text, expected) in cases {
            let error = check(&wat::parse_str(&text).unwrap()).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
        assert_eq!(check(&wat::parse_str(module("(func)")).unwrap()), Ok(()));
        assert_eq!(check(b"rubbish"), Ok(()));
    }
}
