//! [`Alias`]: other systems' names for a field, and which of its values serve.

use super::shape::Shape;

/// Names of one field.
pub(in crate::input) struct Alias {
    /// The field that is read.
    pub(in crate::input) field: &'static str,
    /// Other systems' names for it, the best one first.
    pub(in crate::input) names: &'static [&'static str],
    /// A field that must be there: without it, the names mean another field.
    pub(in crate::input) with: Option<&'static str>,
    /// Which values the field takes, and how they are changed.
    pub(in crate::input) shape: Shape,
}

pub(super) const fn plain(field: &'static str, names: &'static [&'static str]) -> Alias {
    Alias { field, names, with: None, shape: Shape::Same }
}

pub(super) const fn beside(field: &'static str, names: &'static [&'static str], with: &'static str) -> Alias {
    Alias { field, names, with: Some(with), shape: Shape::Same }
}

pub(super) const fn only_if(field: &'static str, names: &'static [&'static str], fits: fn(&str) -> bool) -> Alias {
    Alias { field, names, with: None, shape: Shape::If(fits) }
}

pub(super) const fn shaped(
    field: &'static str,
    names: &'static [&'static str],
    shape: fn(&str) -> Option<String>,
) -> Alias {
    Alias { field, names, with: None, shape: Shape::Made(shape) }
}

/// A name of letters and digits only, in lower case.
pub(in crate::input) fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
