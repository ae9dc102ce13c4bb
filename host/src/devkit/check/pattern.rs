//! Regular expressions that explode.
//!
//! Keyferry's own engine takes linear time whatever a pattern says. But patterns are handed out as JSON Schema, and forms
//! check them with engines that go back and try again, for which a repetition of a repetition takes exponential time.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// What makes a pattern explode, if it does.
pub(super) fn explosive(pattern: &str) -> Option<&'static str> {
    let hir = regex_syntax::parse(pattern).ok()?;
    explodes(&hir)
}

fn explodes(hir: &Hir) -> Option<&'static str> {
    if let HirKind::Repetition(repetition) = hir.kind()
        && is_unbounded(repetition)
    {
        if repeats_inside(&repetition.sub) {
            return Some("it repeats, without an end, what itself repeats without one");
        }
        if has_overlap(&repetition.sub) {
            return Some("it repeats, without an end, alternatives that begin alike");
        }
    }
    children(hir).into_iter().find_map(explodes)
}

fn is_unbounded(repetition: &Repetition) -> bool {
    // So large an end is none for an engine that tries every split.
    repetition.max.is_none_or(|max| max > 1000)
}

/// Whether a repetition stands inside, with nothing beside it that would keep one turn from running into the next.
fn repeats_inside(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(inner) => is_unbounded(inner) || repeats_inside(&inner.sub),
        HirKind::Capture(capture) => repeats_inside(&capture.sub),
        HirKind::Alternation(branches) => branches.iter().any(repeats_inside),
        HirKind::Concat(parts) => parts.iter().any(repeats_inside) && !parts.iter().any(|part| separates(part, parts)),
        _ => false,
    }
}

/// A piece that has to be there and that no repetition beside it can match: `(?:a+,)*` does not explode.
fn separates(part: &Hir, parts: &[Hir]) -> bool {
    let Some(own) = first_bytes(part) else { return false };
    let is_fixed = matches!(part.kind(), HirKind::Literal(_) | HirKind::Class(_));
    let others = parts.iter().filter(|other| matches!(other.kind(), HirKind::Repetition(_)));
    is_fixed && others.filter_map(first_bytes).all(|other| own.iter().zip(other).all(|(a, b)| !(*a && b)))
}

/// Whether two branches can begin with the same byte: `(?:a|ab)*`.
fn has_overlap(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => has_overlap(&capture.sub),
        HirKind::Alternation(branches) => {
            let firsts: Vec<_> = branches.iter().filter_map(first_bytes).collect();
            let mut seen = [false; 256];
            firsts.iter().any(|first| {
                let overlaps = seen.iter().zip(first).any(|(a, b)| *a && *b);
                seen.iter_mut().zip(first).for_each(|(a, b)| *a |= *b);
                overlaps
            })
        }
        _ => false,
    }
}

fn children(hir: &Hir) -> Vec<&Hir> {
    match hir.kind() {
        HirKind::Repetition(repetition) => vec![&repetition.sub],
        HirKind::Capture(capture) => vec![&capture.sub],
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().collect(),
        _ => Vec::new(),
    }
}

/// The bytes that a match can begin with. Bytes of a character beyond ASCII are all counted as one another.
fn first_bytes(hir: &Hir) -> Option<[bool; 256]> {
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
        HirKind::Capture(capture) => return first_bytes(&capture.sub),
        HirKind::Repetition(repetition) => return first_bytes(&repetition.sub),
        HirKind::Concat(parts) => return parts.first().and_then(first_bytes),
        HirKind::Alternation(branches) => {
            for first in branches.iter().filter_map(first_bytes) {
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
