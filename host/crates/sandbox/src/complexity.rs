//! Limits of the parts of a component, checked before any of it is compiled.
//!
//! A small file can ask for a great deal of compilation: one enormous function, a hundred thousand tiny ones, types
//! nested in types. The limits are generous: the engines of JavaScript and Python, as their toolchains ship them, use
//! at most half. The figures of these engines are beside the limits that they come near to.

use wasmparser::{ComponentInstance, Instance, Parser, Payload};

use super::compile_cost::{CompileCost, Signatures, length};

/// The counted parts of a component; [`most`](Self::most) is the limit of each.
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
    Blocks,
    SquaredBlocks,
    Liveness,
    AllLiveness,
    Passed,
    Instances,
}

impl Part {
    fn most(self) -> u64 {
        match self {
            // Python 183,485.
            Self::FunctionBytes => 512 * 1024,
            // Python 13,469.
            Self::Functions => 30_000,
            // JavaScript 9,204,412.
            Self::CodeBytes => 20 * 1024 * 1024,
            Self::Types => 20_000,
            Self::Modules => 128,
            Self::Components => 64,
            Self::Depth => 8,
            Self::Segments => 200_000,
            Self::Names => 50_000,
            Self::Globals => 100_000,
            // Python 271.
            Self::Locals => 1_000,
            // Python 7,780: as many loops in one function are some seconds of compilation.
            Self::Blocks => 16_000,
            // JavaScript 239,801,884.
            Self::SquaredBlocks => 500_000_000,
            // JavaScript 387,512: twice that is some seconds of compilation and some hundred megabytes of memory.
            Self::Liveness => 800_000,
            // JavaScript 5,289,498.
            Self::AllLiveness => 12_000_000,
            Self::Passed => 1_000,
            // Python 2.
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
            Self::Blocks => "blocks in one function",
            Self::SquaredBlocks => "blocks in its functions, squared",
            Self::Liveness => "locals times blocks in one function",
            Self::AllLiveness => "locals times blocks in its functions",
            Self::Passed => "values that blocks of one function pass",
            Self::Instances => "instances of components",
        }
    }
}

/// A component that exceeds a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has {found} {}, and {} are allowed; no plugin needs as many", part.words(), part.most())]
pub struct ComplexityError {
    part: Part,
    found: u64,
}

/// Running totals, one for each limit.
#[derive(Default)]
struct Counts([u64; 17]);

impl Counts {
    fn add(&mut self, part: Part, count: u64) -> Result<(), ComplexityError> {
        let slot = match self.0.get_mut(part as usize) {
            Some(slot) => slot,
            None => return Ok(()),
        };
        *slot = slot.saturating_add(count);
        if *slot > part.most() { Err(ComplexityError { part, found: *slot }) } else { Ok(()) }
    }
}

/// Checks a component's complexity. A component that is not well formed passes: the compiler reports it.
pub(super) fn check(bytes: &[u8]) -> Result<(), ComplexityError> {
    let mut counts = Counts::default();
    // The types of each module or component that what is read lies in.
    let (mut modules, top) = (Vec::<Signatures>::new(), Signatures::default());
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { return Ok(()) };
        let once =
            |part: Part, found: u64| if found > part.most() { Err(ComplexityError { part, found }) } else { Ok(()) };
        match payload {
            Payload::ModuleSection { .. } => {
                modules.push(Signatures::default());
                counts.add(Part::Modules, 1)?;
                once(Part::Depth, length(modules.len()))?;
            }
            Payload::ComponentSection { .. } => {
                modules.push(Signatures::default());
                counts.add(Part::Components, 1)?;
                once(Part::Depth, length(modules.len()))?;
            }
            Payload::End(_) => drop(modules.pop()),
            Payload::CodeSectionStart { count, .. } => counts.add(Part::Functions, count.into())?,
            Payload::CodeSectionEntry(body) => {
                let signatures = modules.last().unwrap_or(&top);
                let Ok(cost) = CompileCost::of(&body, signatures) else { return Ok(()) };
                once(Part::FunctionBytes, cost.bytes)?;
                counts.add(Part::CodeBytes, cost.bytes)?;
                once(Part::Locals, cost.locals)?;
                once(Part::Blocks, cost.blocks)?;
                counts.add(Part::SquaredBlocks, cost.blocks.saturating_mul(cost.blocks))?;
                let liveness = cost.locals.saturating_mul(cost.blocks);
                once(Part::Liveness, liveness)?;
                counts.add(Part::AllLiveness, liveness)?;
                once(Part::Passed, cost.passed)?;
            }
            Payload::TypeSection(section) => {
                counts.add(Part::Types, section.count().into())?;
                if let Some(module) = modules.last_mut() {
                    module.add(section);
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_would_take_for_ever_to_compile_is_refused_for_what_it_has_too_much_of() {
        let module = |body: &str| format!("(component (core module {body}))");
        let nested = (0..9).fold("(component)".to_owned(), |inner, _| format!("(component {inner})"));
        let wide = format!("(type $w (func (param {0}) (result {0})))", "i32 ".repeat(100));
        let values = "local.get 0 ".repeat(100);
        let passing =
            format!("{wide} (func (param i32) {values} {} {})", "(block (type $w)) ".repeat(6), "drop ".repeat(100));
        let cases = [
            (module(&format!("(func {})", "nop ".repeat(600_000))), "bytes in one function"),
            (module(&"(func)".repeat(30_001)), "functions"),
            (module(&"(type (func))".repeat(20_001)), "types"),
            (module(&format!("(func (local {}))", "i32 ".repeat(1_001))), "locals in one function"),
            (module(&format!("(func {})", "loop end ".repeat(16_001))), "blocks in one function"),
            (module(&format!("(func {})", "loop end ".repeat(15_000)).repeat(3)), "blocks in its functions, squared"),
            (
                module(&format!("(func (local {}) {})", "i32 ".repeat(900), "block end ".repeat(900))),
                "locals times blocks in one function",
            ),
            (
                module(&format!("(func (local {}) {})", "i32 ".repeat(800), "block end ".repeat(900)).repeat(17)),
                "locals times blocks in its functions",
            ),
            (module(&passing), "values that blocks of one function pass"),
            (format!("(component {})", "(core module)".repeat(129)), "core modules"),
            (
                format!("(component (component $c) {})", "(instance (instantiate $c))".repeat(9)),
                "instances of components",
            ),
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
