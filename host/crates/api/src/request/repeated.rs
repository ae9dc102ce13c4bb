//! Options that a request gives more than once. The same value each time counts as one. Two different values are refused: this
//! server and a program on the way could each act on another one of them.

use http::{HeaderMap, HeaderValue};

/// An option has two different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conflict;

/// Sets an option that may have been set before.
///
/// # Errors
/// If it was set to another value before.
pub(crate) fn set<T: PartialEq>(option: &mut Option<T>, value: T) -> Result<(), Conflict> {
    match option {
        Some(known) if *known != value => Err(Conflict),
        _ => {
            *option = Some(value);
            Ok(())
        }
    }
}

/// The value of a header that has one value.
///
/// # Errors
/// If several header lines differ.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, Conflict> {
    let mut found = None;
    for value in headers.get_all(name) {
        set(&mut found, value)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_different_ones_are_refused() {
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&["a"], Ok(Some("a"))),
            (&["a", "a", "a"], Ok(Some("a"))),
            (&["a", "b"], Err(Conflict)),
            (&["a", "b", "a"], Err(Conflict)),
            (&["a", "A"], Err(Conflict)),
            (&["a", ""], Err(Conflict)),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x", HeaderValue::from_static(value));
            }
            let found = header(&headers, "x").map(|value| value.and_then(|value| value.to_str().ok()));
            assert_eq!(found, expected, "{values:?}");
        }
    }
}
