//! The named entities of HTML and XML that libraries write: all of ASCII, and what HTML 4 has for Latin-1.

/// Entities of ASCII, and of blanks and quotes beyond it.
const NAMED: [(&str, char); 64] = [
    ("AMP", '&'),
    ("DiacriticalGrave", '`'),
    ("GT", '>'),
    ("Hat", '^'),
    ("LT", '<'),
    ("NewLine", '\n'),
    ("NonBreakingSpace", '\u{a0}'),
    ("QUOT", '"'),
    ("Tab", '\t'),
    ("UnderBar", '_'),
    ("VerticalLine", '|'),
    ("ZeroWidthSpace", '\u{200b}'),
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("bull", '•'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dash", '‐'),
    ("dollar", '$'),
    ("emsp", '\u{2003}'),
    ("ensp", '\u{2002}'),
    ("equals", '='),
    ("euro", '€'),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("hellip", '…'),
    ("hyphen", '‐'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("ldquo", '“'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lsquo", '‘'),
    ("lt", '<'),
    ("mdash", '—'),
    ("midast", '*'),
    ("ndash", '–'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rdquo", '”'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("rsquo", '’'),
    ("semi", ';'),
    ("sol", '/'),
    ("thinsp", '\u{2009}'),
    ("trade", '™'),
    ("verbar", '|'),
    ("vert", '|'),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
];

/// Entities of Latin-1, from U+00A0 on.
const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo", "not", "shy",
    "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot", "cedil", "sup1", "ordm",
    "raquo", "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig",
    "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve",
    "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN",
    "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc",
    "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml",
    "divide", "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];

/// Entities that are also read without a semicolon.
const WITHOUT_END: [&str; 10] = ["AMP", "GT", "LT", "QUOT", "amp", "apos", "gt", "lt", "nbsp", "quot"];

/// More than the longest name.
const LONGEST: usize = 24;

/// The entity whose name a text begins with: bytes of the name and its semicolon, and what it stands for.
pub(super) fn named(text: &[u8]) -> Option<(usize, char)> {
    let length = text.iter().take(LONGEST).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name = std::str::from_utf8(text.get(..length)?).ok()?;
    if text.get(length) == Some(&b';') {
        return Some((length + 1, meaning(name)?));
    }
    let without_end = WITHOUT_END.iter().find(|known| name.starts_with(**known))?;
    Some((without_end.len(), meaning(without_end)?))
}

fn meaning(name: &str) -> Option<char> {
    if let Ok(at) = NAMED.binary_search_by_key(&name, |(known, _)| known) {
        return NAMED.get(at).map(|(_, c)| *c);
    }
    let at = LATIN_1.iter().position(|known| *known == name)?;
    char::from_u32(0xA0 + u32::try_from(at).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_mean_what_html_says() {
        assert!(NAMED.is_sorted_by_key(|(name, _)| name));
        for (name, c) in
            [("equals;", '='), ("nbsp;", '\u{a0}'), ("ouml;", 'ö'), ("yuml;", 'ÿ'), ("szlig;", 'ß'), ("lt;", '<')]
        {
            assert_eq!(named(name.as_bytes()), Some((name.len(), c)), "{name}");
        }
        for name in WITHOUT_END {
            assert!(meaning(name).is_some(), "{name}");
        }
        assert_eq!(named(b"ouml"), None);
        assert_eq!(named(b""), None);
    }
}
