//! The list in the header `Prefer` (RFC 7240, section 2): preferences between commas, each a name with perhaps a value, and
//! parameters behind semicolons. Values can be quoted, and then hold commas and semicolons.

/// One preference of a `Prefer` header.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Preference {
    pub(crate) name: String,
    /// Without quotes; empty for a name alone.
    pub(crate) value: String,
    /// The names of its parameters.
    pub(crate) parameters: Vec<String>,
}

/// One line of the header.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct List<'a> {
    pub(crate) preferences: Vec<Preference>,
    /// The text from the element on whose quote is not closed.
    pub(crate) unreadable: Option<&'a str>,
}

/// Reads one line. An element that is not of the form is a preference that is not known.
pub(crate) fn parse(line: &str) -> List<'_> {
    let mut list = List::default();
    let mut rest = line;
    while !rest.is_empty() {
        let Some(end) = end(rest, ',') else {
            list.unreadable = Some(rest);
            break;
        };
        let (element, behind) = rest.split_at(end);
        rest = behind.strip_prefix(',').unwrap_or_default();
        if !element.trim().is_empty() {
            list.preferences.push(preference(element));
        }
    }
    list
}

fn preference(element: &str) -> Preference {
    let mut preference = Preference::default();
    let (mut rest, mut is_first) = (element, true);
    while is_first || !rest.is_empty() {
        // All quotes of an element are closed.
        let (part, behind) = rest.split_at(end(rest, ';').unwrap_or(rest.len()));
        rest = behind.strip_prefix(';').unwrap_or_default();
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if is_first {
            (preference.name, preference.value) = (name.trim().to_owned(), unquoted(value.trim()));
            is_first = false;
        } else {
            preference.parameters.push(name.trim().to_owned());
        }
    }
    preference
}

/// The position of the first separator outside of quotes, or the end of the text; `None` where a quote is not closed.
fn end(text: &str, separator: char) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c if c == separator && !is_quoted => return Some(at),
            _ => {}
        }
    }
    (!is_quoted).then_some(text.len())
}

/// A value without its quotes and the backslashes in them. Quotes that are not around all of it stay.
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return value.to_owned() };
    let (mut text, mut characters) = (String::new(), inner.chars());
    while let Some(c) = characters.next() {
        text.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_with_their_quotes_and_parameters() {
        let cases = [
            ("", ""),
            (" , ,", ""),
            ("verify=only", "verify=only"),
            ("a=1,b=2", "a=1 b=2"),
            ("a = 1 , b\t=\t\"2\"", "a=1 b=2"),
            (r#"a="1,b=2",c=3"#, "a=1,b=2 c=3"),
            (r#"a="1\",b=2";d;e="x;y",c=3"#, r#"a=1",b=2;d;e c=3"#),
            (r#"a="on\ly""#, "a=only"),
            ("a=1;b=2;c", "a=1;b;c"),
            ("a;b", "a=;b"),
            ("=1", "=1"),
            ("a=1=2", "a=1=2"),
        ];
        for (line, expected) in cases {
            let list = parse(line);
            assert_eq!(list.unreadable, None, "{line}");
            let shown = |one: &Preference| {
                let parameters: String = one.parameters.iter().map(|name| format!(";{name}")).collect();
                format!("{}={}{parameters}", one.name, one.value)
            };
            assert_eq!(list.preferences.iter().map(shown).collect::<Vec<_>>().join(" "), expected, "{line}");
        }
        let list = parse("a=1, b=\"2, verify=only");
        assert_eq!((list.preferences.len(), list.unreadable), (1, Some(" b=\"2, verify=only")));
    }
}
