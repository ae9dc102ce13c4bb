//! [`CompileCost`]: what a function costs to compile.
//!
//! A compiler's work is more than linear in what a function has: for every place where code can branch to it keeps which
//! values are there, and passes values on. So a function of some kilobytes can take it minutes, and gigabytes of memory.

use wasmparser::{BinaryReaderError, BlockType, FunctionBody, Operator, TypeSectionReader};

/// The cost of compiling one function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CompileCost {
    /// Size of the function's code in bytes.
    pub(super) bytes: u64,
    /// Number of the function's local variables.
    pub(super) locals: u64,
    /// Number of branches and branch targets in its code.
    pub(super) blocks: u64,
    /// Values that its blocks are given and give back, by a signature of theirs. Compilers of languages make none.
    pub(super) passed: u64,
}

/// Number of parameters and results of each function type of a module.
#[derive(Debug, Default)]
pub(super) struct Signatures(Vec<u64>);

impl Signatures {
    /// Adds a section of types. What is not well formed is for the compiler to tell.
    pub(super) fn add(&mut self, section: TypeSectionReader<'_>) {
        for group in section.into_iter().map_while(Result::ok) {
            for ty in group.into_types() {
                self.0.push(match &ty.composite_type.inner {
                    wasmparser::CompositeInnerType::Func(func) => length(func.params().len() + func.results().len()),
                    _ => 0,
                });
            }
        }
    }
}

impl CompileCost {
    /// The cost of a function in a module with these types.
    ///
    /// # Errors
    /// If it is not well formed.
    pub(super) fn of(body: &FunctionBody<'_>, signatures: &Signatures) -> Result<Self, BinaryReaderError> {
        let range = body.range();
        let mut cost = Self { bytes: length(range.end.saturating_sub(range.start)), ..Self::default() };
        for local in body.get_locals_reader()? {
            cost.locals = cost.locals.saturating_add(local?.0.into());
        }
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                    cost.blocks += 1;
                    if let BlockType::FuncType(index) = blockty {
                        let passed = usize::try_from(index).ok().and_then(|index| signatures.0.get(index));
                        cost.passed = cost.passed.saturating_add(passed.copied().unwrap_or_default());
                    }
                }
                Operator::Else | Operator::BrIf { .. } | Operator::BrTable { .. } => cost.blocks += 1,
                _ => {}
            }
        }
        Ok(cost)
    }
}

/// A number of things in memory.
pub(super) fn length(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}
