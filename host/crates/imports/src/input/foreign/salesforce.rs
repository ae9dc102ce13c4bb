//! What other systems call the fields of Salesforce, which has two hosts: one of the tokens, and one of the organisation.

use super::alias::{Alias, plain, shaped};
use super::shape::{host, https_origin};

pub(super) const SALESFORCE: &[Alias] = &[
    shaped(
        "instance_url",
        &[
            "instanceurl",
            "instanceendpoint",
            "baseurl",
            "apiurl",
            "accounturl",
            "hostname",
            "host",
            "domain",
            "mydomain",
            "mydomainurl",
            "subdomain",
            "instancename",
            "url",
        ],
        |value| https_origin(value, ".my.salesforce.com"),
    ),
    plain("access_token", &["accesstoken", "oauthaccesstoken", "bearertoken", "sessionid"]),
    plain("client_id", &["consumerkey"]),
    plain("client_secret", &["consumersecret"]),
    plain("username", &["user", "email", "subject"]),
    shaped(
        "login_host",
        &[
            "loginhost",
            "loginurl",
            "mydomainurl",
            "authorizationurl",
            "authurl",
            "environment",
            "env",
            "issandbox",
            "sandbox",
            "hostname",
            "instanceurl",
            "domain",
        ],
        login_host,
    ),
    shaped("login_host", &["mydomain", "subdomain", "instancename", "domain", "hostname"], my_domain),
];

/// Where Salesforce's tokens are asked for: of a host, of an address, of `sandbox` or `production`.
fn login_host(value: &str) -> Option<String> {
    match value.trim().to_ascii_lowercase().as_str() {
        "production" | "prod" | "live" | "false" => Some("login.salesforce.com".to_owned()),
        "sandbox" | "test" | "true" => Some("test.salesforce.com".to_owned()),
        _ => host(value).filter(|host| host.contains(".salesforce.")),
    }
}

/// The same of the name of an organisation's My Domain alone: `acme` -> `acme.my.salesforce.com`.
fn my_domain(value: &str) -> Option<String> {
    let host = host(value).filter(|host| !host.contains(':'))?;
    match host.strip_suffix(".my").unwrap_or(&host) {
        name @ ("login" | "test") => Some(format!("{name}.salesforce.com")),
        name => (!name.contains('.')).then(|| format!("{name}.my.salesforce.com")),
    }
}
