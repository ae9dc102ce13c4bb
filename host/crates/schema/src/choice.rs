//! Which option of a select field a text means: [`chosen`].

use super::model::Choice;

/// Bytes of the longest text that is read as more than an option's exact value.
const LONGEST: usize = 2048;

/// The value of the option that a text names: the value itself; the value or the label in another case (`US5`); a part of one
/// label alone, before its parentheses or in them (`Ireland` of `Ireland (IE1)`); and, where values are host names, the address of a page or an API at that host or one label below it, as it is copied out of a
/// browser (`https://app.datadoghq.eu/account/login` for `datadoghq.eu`).
pub(super) fn chosen<'a>(options: &'a [Choice], text: &str) -> Option<&'a str> {
    let find = |is: &dyn Fn(&Choice) -> bool| options.iter().find(|option| is(option)).map(|o| o.value.as_str());
    if let Some(exact) = find(&|option| option.value == text) {
        return Some(exact);
    }
    if text.len() > LONGEST {
        return None;
    }
    let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let named = |name: &str| {
        find(&|option| is(&option.value, name)).or_else(|| find(&|option| !name.is_empty() && is(&option.label, name)))
    };
    let parts =
        |option: &&Choice| option.label.split(['(', ')']).any(|part| !part.trim().is_empty() && is(part.trim(), text));
    let mut of_label = options.iter().filter(parts).map(|option| option.value.as_str());
    let one = of_label.next().filter(|_| of_label.next().is_none());
    let host = host_of(text);
    let at = |host: &str| find(&|option| option.value.contains('.') && is(&option.value, host));
    named(text).or(one).or_else(|| at(host)).or_else(|| at(host.split_once('.')?.1))
}

/// The host of an address with or without its scheme; nothing where it has a user, a port other than 443, or anything else that a
/// name has not.
fn host_of(text: &str) -> &str {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => rest,
        Some(_) => return "",
        None => text,
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.strip_suffix(":443").unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_name = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if host.split('.').all(is_name) { host } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(values: &[(&str, &str)]) -> Vec<Choice> {
        values.iter().map(|(value, label)| Choice { value: (*value).into(), label: (*label).into() }).collect()
    }

    #[test]
    fn an_option_is_named_by_value_by_label_and_by_an_address_at_its_host() {
        let sites =
            [("datadoghq.com", "US1"), ("us5.datadoghq.com", "US5"), ("datadoghq.eu", "EU"), ("ddog-gov.com", "")];
        for (text, means) in [
            ("datadoghq.com", Some("datadoghq.com")),
            ("DatadogHQ.eu", Some("datadoghq.eu")),
            ("US5", Some("us5.datadoghq.com")),
            ("us1", Some("datadoghq.com")),
            ("eu", Some("datadoghq.eu")),
            ("us5.datadoghq.com.", Some("us5.datadoghq.com")),
            ("datadoghq.eu/", Some("datadoghq.eu")),
            ("https://us5.datadoghq.com", Some("us5.datadoghq.com")),
            ("HTTPS://US5.DATADOGHQ.COM:443/account/login?next=%2F#x", Some("us5.datadoghq.com")),
            ("https://app.datadoghq.eu/", Some("datadoghq.eu")),
            ("api.us5.datadoghq.com/api", Some("us5.datadoghq.com")),
            ("acme.ddog-gov.com", Some("ddog-gov.com")),
            ("", None),
            (".", None),
            ("com", None),
            ("http://us5.datadoghq.com", None),
            ("https://", None),
            ("https://user@us5.datadoghq.com", None),
            ("us5.datadoghq.com:8443", None),
            ("a.b.datadoghq.eu", None),
            ("datadoghq.eu.evil.example", None),
            ("evildatadoghq.eu", None),
            ("https://evil.example/datadoghq.eu", None),
            ("https://evil.example?datadoghq.eu", None),
            (" datadoghq.eu", None),
            (".datadoghq.eu", None),
            ("a b.datadoghq.eu", None),
            ("a%2e.datadoghq.eu", None),
            ("user:password@app.datadoghq.eu", None),
            ("https://evil.example\\.datadoghq.eu", None),
        ] {
            assert_eq!(chosen(&options(&sites), text), means, "{text}");
        }
    }

    #[test]
    fn a_part_of_one_label_names_its_option_and_a_part_of_two_none() {
        let regions = options(&[
            ("us1", "United States (US1)"),
            ("ie1", "Ireland (IE1)"),
            ("eu", "Germany (Europe)"),
            ("eu2", "France (Europe)"),
            ("x", "()"),
        ]);
        for (text, means) in [
            ("ireland", Some("ie1")),
            ("IE1", Some("ie1")),
            ("United States", Some("us1")),
            ("united states (us1)", Some("us1")),
            ("France", Some("eu2")),
            ("Europe", None),
            ("States", None),
            ("", None),
            (" ", None),
            ("(", None),
        ] {
            assert_eq!(chosen(&regions, text), means, "{text}");
        }
    }

    #[test]
    fn an_option_that_is_no_host_name_is_named_by_value_and_label_alone() {
        let environments = options(&[("live", "Live"), ("sandbox", "Sandbox"), ("SANDBOX", "Upper")]);
        for (text, means) in [
            ("LIVE", Some("live")),
            ("SANDBOX", Some("SANDBOX")),
            ("upper", Some("SANDBOX")),
            ("https://live", None),
            ("api.live", None),
            ("production", None),
        ] {
            assert_eq!(chosen(&environments, text), means, "{text}");
        }
        let long = "a".repeat(LONGEST + 1);
        assert_eq!(chosen(&options(&[(&long, "")]), &long), Some(long.as_str()));
        assert_eq!(chosen(&options(&[(&long, "")]), &long.to_uppercase()), None);
    }
}
