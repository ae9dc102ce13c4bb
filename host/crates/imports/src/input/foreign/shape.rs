//! Values that other systems write otherwise than the app's field: a whole address where a name is asked for, and such.

/// Which values a field takes, and how they are changed. Only plain values are changed, never secrets.
pub(in crate::input) enum Shape {
    /// All of them, as they are.
    Same,
    /// Those for which this holds, as they are.
    If(fn(&str) -> bool),
    /// What this makes of them; none where it makes nothing.
    Made(fn(&str) -> Option<String>),
}

impl Shape {
    /// What a value becomes: `Some(None)` where it stays as it is, none where it does not serve.
    pub(in crate::input) fn of(&self, value: &str) -> Option<Option<String>> {
        match self {
            Self::Same => Some(None),
            Self::If(fits) => fits(value).then_some(None),
            Self::Made(make) => make(value).map(Some),
        }
    }
}

/// The host of an address, or a bare host, in lower case: `https://Acme.example.com/home` ->
/// `acme.example.com`.
pub(super) fn host(value: &str) -> Option<String> {
    let value = value.trim();
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest.get(..end)?.rsplit('@').next()?.trim_end_matches('.').to_ascii_lowercase();
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c));
    is_host.then_some(host)
}

/// The first label of a host under that suffix, or a bare label.
pub(super) fn label(value: &str, suffix: &str) -> Option<String> {
    let host = host(value)?;
    let label = host.strip_suffix(suffix).unwrap_or(&host);
    (!label.is_empty() && !label.contains(['.', ':'])).then(|| label.to_owned())
}

/// An address with nothing but scheme and host. A name without dots is one under the suffix; `acme.my` is `acme`.
pub(super) fn https_origin(value: &str, suffix: &str) -> Option<String> {
    let host = host(value)?;
    let short = host.strip_suffix(".my").unwrap_or(&host);
    let whole = if short.contains('.') { host } else { format!("{short}{suffix}") };
    let is_login = whole.starts_with("login.") || whole.starts_with("test.");
    (!is_login && whole.contains("salesforce")).then(|| format!("https://{whole}"))
}

/// The server of GitHub Enterprise; none for github.com itself.
pub(super) fn github_server(value: &str) -> Option<String> {
    let host = host(value)?;
    let is_public = ["github", "github.com", "www.github.com", "api.github.com"].contains(&host.as_str());
    (!is_public).then(|| format!("https://{host}"))
}

/// A site of Datadog's, of itself, of an address at it, or of a region's code.
pub(super) fn region_site(value: &str) -> Option<String> {
    let site = match value.trim().to_ascii_lowercase().as_str() {
        "us" | "us1" | "com" => "datadoghq.com",
        "us3" => "us3.datadoghq.com",
        "us5" => "us5.datadoghq.com",
        "eu" | "eu1" => "datadoghq.eu",
        "ap1" => "ap1.datadoghq.com",
        "ap2" => "ap2.datadoghq.com",
        "gov" | "us1-fed" | "fed" => "ddog-gov.com",
        _ => {
            let host = host(value).filter(|host| host.contains("datadoghq.") || host.contains("ddog-gov."))?;
            let site = ["api.", "app.", "http-intake.logs.", "https-intake.logs."];
            return Some(site.iter().find_map(|start| host.strip_prefix(start)).unwrap_or(&host).to_owned());
        }
    };
    Some(site.to_owned())
}

/// One of two: the first where a value says so (`sanbox`, as n8n writes it, and `true` included), else the second.
pub(super) fn choice(value: &str, first: &str, second: &str) -> Option<String> {
    let lower = value.trim().to_ascii_lowercase();
    let is_first = lower == "true" || lower == "test" || lower.contains("sandbox") || lower.contains("sanbox");
    let is_second = ["live", "production", "prod", "false"].contains(&lower.as_str()) || lower.contains("paypal.com");
    match (is_first, is_second) {
        (true, _) => Some(first.to_owned()),
        (false, true) => Some(second.to_owned()),
        (false, false) => None,
    }
}

/// An e-mail address, without the `/token` that Zendesk's user names end in.
pub(super) fn email(value: &str) -> Option<String> {
    let value = value.trim();
    let value = value.strip_suffix("/token").unwrap_or(value);
    value.contains('@').then(|| value.to_owned())
}

/// The project in which a service account is: `x@acme.iam.gserviceaccount.com` -> `acme`.
pub(super) fn project_of_email(value: &str) -> Option<String> {
    let (_, domain) = value.trim().split_once('@')?;
    domain.strip_suffix(".iam.gserviceaccount.com").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_what_the_field_asks_for() {
        for (value, made) in [
            ("acme", Some("acme")),
            ("ACME", Some("acme")),
            ("acme.myshopify.com", Some("acme")),
            ("https://acme.myshopify.com/", Some("acme")),
            ("https://acme.myshopify.com/admin?x=1", Some("acme")),
            ("shop.acme.example", None),
            ("", None),
        ] {
            assert_eq!(label(value, ".myshopify.com").as_deref(), made, "{value}");
        }
        for (value, made) in [
            ("acme.my", Some("https://acme.my.salesforce.com")),
            ("acme", Some("https://acme.my.salesforce.com")),
            ("acme.my.salesforce.com", Some("https://acme.my.salesforce.com")),
            ("https://acme--dev.sandbox.my.salesforce.com/", Some("https://acme--dev.sandbox.my.salesforce.com")),
            ("https://login.salesforce.com", None),
        ] {
            assert_eq!(https_origin(value, ".my.salesforce.com").as_deref(), made, "{value}");
        }
        for (value, made) in [
            ("https://api.github.com", None),
            ("github.com", None),
            ("https://git.acme.example/api/v3", Some("https://git.acme.example")),
            ("acme.ghe.com", Some("https://acme.ghe.com")),
            ("http://ghe/api/v3", Some("https://ghe")),
            ("GitHub", None),
        ] {
            assert_eq!(github_server(value).as_deref(), made, "{value}");
        }
    }

    #[test]
    fn a_site_of_datadogs_is_read_from_all_that_names_one() {
        for (value, site) in [
            ("datadoghq.eu", Some("datadoghq.eu")),
            ("https://api.us5.datadoghq.com/api/v1", Some("us5.datadoghq.com")),
            ("https://app.datadoghq.com", Some("datadoghq.com")),
            ("EU1", Some("datadoghq.eu")),
            ("us3", Some("us3.datadoghq.com")),
            ("ddog-gov.com", Some("ddog-gov.com")),
            ("eu-central-1", None),
            ("acme", None),
        ] {
            assert_eq!(region_site(value).as_deref(), site, "{value}");
        }
    }

    #[test]
    fn what_is_one_of_two_is_read_from_all_that_says_so() {
        for (value, made) in [
            ("sanbox", Some("sandbox")),
            ("Sandbox", Some("sandbox")),
            ("true", Some("sandbox")),
            ("https://api-m.sandbox.paypal.com", Some("sandbox")),
            ("live", Some("live")),
            ("production", Some("live")),
            ("https://api-m.paypal.com", Some("live")),
            ("blue", None),
        ] {
            assert_eq!(choice(value, "sandbox", "live").as_deref(), made, "{value}");
        }
        assert_eq!(email("ada@example.com/token").as_deref(), Some("ada@example.com"));
        assert_eq!(email("ada"), None);
        assert_eq!(project_of_email("i@acme-1.iam.gserviceaccount.com").as_deref(), Some("acme-1"));
        assert_eq!(project_of_email("1@developer.gserviceaccount.com"), None);
    }
}
