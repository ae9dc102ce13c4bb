//! Regular expressions with exponential running time.
//!
//! Keyferry's own engine takes linear time for every pattern. But patterns are published in JSON Schema, and forms
//! check them with backtracking engines, for which a repetition of a repetition takes exponential time.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{Ast, Repetition, RepetitionKind, RepetitionRange};
use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{Class, Hir, HirKind};

/// What makes a pattern explode, if it does.
///
/// It is looked for in the pattern as written: the normal form that our own engine works on has lost, in
/// `(?:[a-z0-9]|[0-9])*`, that there are two ways to match a digit.
pub(super) fn explosive(pattern: &str) -> Option<&'static str> {
    let ast = Parser::new().parse(pattern).ok()?;
    explodes(pattern, &ast)
}

fn explodes(pattern: &str, ast: &Ast) -> Option<&'static str> {
    if let Ast::Repetition(repetition) = ast
        && is_unbounded(repetition)
    {
        if repeats_inside(pattern, &repetition.ast) {
            return Some("it repeats, without an end, what itself repeats without one");
        }
        if has_overlap(pattern, &repetition.ast) {
            return Some("it repeats, without an end, alternatives that begin alike");
        }
    }
    children(ast).into_iter().find_map(|child| explodes(pattern, child))
}

fn is_unbounded(repetition: &Repetition) -> bool {
    match &repetition.op.kind {
        RepetitionKind::ZeroOrOne | RepetitionKind::Range(RepetitionRange::Exactly(_)) => false,
        RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore | RepetitionKind::Range(RepetitionRange::AtLeast(_)) => {
            true
        }
        // For a backtracking engine, such a large bound is as bad as none.
        RepetitionKind::Range(RepetitionRange::Bounded(_, max)) => *max > 1000,
    }
}

/// Whether it contains a repetition without a separator beside it that would keep one round from running into the next.
fn repeats_inside(pattern: &str, ast: &Ast) -> bool {
    match ast {
        Ast::Repetition(inner) => is_unbounded(inner) || repeats_inside(pattern, &inner.ast),
        Ast::Group(group) => repeats_inside(pattern, &group.ast),
        Ast::Alternation(branches) => branches.asts.iter().any(|branch| repeats_inside(pattern, branch)),
        Ast::Concat(parts) => {
            let parts = &parts.asts;
            parts.iter().any(|part| repeats_inside(pattern, part))
                && !parts.iter().any(|part| separates(pattern, part, parts))
        }
        _ => false,
    }
}

/// A piece that has to be there and that no repetition beside it can match: `(?:a+,)*` does not explode.
fn separates(pattern: &str, part: &Ast, parts: &[Ast]) -> bool {
    if !matches!(part, Ast::Literal(_) | Ast::ClassBracketed(_) | Ast::ClassPerl(_) | Ast::ClassUnicode(_)) {
        return false;
    }
    let Some(own) = first_bytes(pattern, part) else { return false };
    let others = parts.iter().filter(|other| matches!(other, Ast::Repetition(_)));
    others.filter_map(|other| first_bytes(pattern, other)).all(|other| own.iter().zip(other).all(|(a, b)| !(*a && b)))
}

/// Whether two branches can begin with the same byte: `(?:a|ab)*`.
fn has_overlap(pattern: &str, ast: &Ast) -> bool {
    match ast {
        Ast::Group(group) => has_overlap(pattern, &group.ast),
        Ast::Alternation(branches) => {
            let mut seen = [false; 256];
            branches.asts.iter().filter_map(|branch| first_bytes(pattern, branch)).any(|first| {
                let overlaps = seen.iter().zip(first).any(|(a, b)| *a && b);
                seen.iter_mut().zip(first).for_each(|(a, b)| *a |= b);
                overlaps
            })
        }
        _ => false,
    }
}

fn children(ast: &Ast) -> Vec<&Ast> {
    match ast {
        Ast::Repetition(repetition) => vec![&*repetition.ast],
        Ast::Group(group) => vec![&*group.ast],
        Ast::Concat(parts) => parts.asts.iter().collect(),
        Ast::Alternation(branches) => branches.asts.iter().collect(),
        _ => Vec::new(),
    }
}

/// The bytes that a match of a piece of the pattern can begin with.
fn first_bytes(pattern: &str, ast: &Ast) -> Option<[bool; 256]> {
    first_bytes_of(&Translator::new().translate(pattern, ast).ok()?)
}

/// Bytes of a character beyond ASCII are all counted as one another.
fn first_bytes_of(hir: &Hir) -> Option<[bool; 256]> {
    let mut bytes = [false; 256];
    let mut set = |byte: u8| {
        if let Some(slot) = bytes.get_mut(usize::from(byte)) {
            *slot = true;
        }
    };
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.first().copied().into_iter().for_each(set),
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.ranges() {
                let end = u32::from(range.end()).min(0x7F);
                (u32::from(range.start())..=end).filter_map(|c| u8::try_from(c).ok()).for_each(&mut set);
                if u32::from(range.end()) > 0x7F {
                    (0x80..=0xFF).for_each(&mut set);
                }
            }
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().flat_map(|range| range.start()..=range.end()).for_each(set);
        }
        HirKind::Capture(capture) => return first_bytes_of(&capture.sub),
        HirKind::Repetition(repetition) => return first_bytes_of(&repetition.sub),
        HirKind::Concat(parts) => return parts.first().and_then(first_bytes_of),
        HirKind::Alternation(branches) => {
            for first in branches.iter().filter_map(first_bytes_of) {
                bytes.iter_mut().zip(first).for_each(|(a, b)| *a |= b);
            }
        }
        HirKind::Empty | HirKind::Look(_) => return None,
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_explode_are_told_from_those_that_do_not() {
        for bad in [
            "(a+)+",
            "(?:a*)*b",
            "([a-z]+)*",
            "(?:a|aa)+",
            "(?:[a-z0-9]|[0-9])*x",
            "x(?:(?:y+){2,})+",
            "(.*)*",
            "(?:a|b|ab)*",
        ] {
            assert!(explosive(bad).is_some(), "{bad}");
        }
        for good in [
            "[a-z0-9][a-z0-9-]{0,62}",
            "xox[bp]-[0-9A-Za-z-]+",
            "(?:[a-z]+,)*[a-z]+",
            "(?:a|b)+",
            "[0-9]+(_SB[0-9]+)?",
            "a*b*",
            "(?:[a-z0-9]+-)+[a-z]",
            "^pat-[a-z]{2}[0-9]-",
        ] {
            assert_eq!(explosive(good), None, "{good}");
        }
    }
}
