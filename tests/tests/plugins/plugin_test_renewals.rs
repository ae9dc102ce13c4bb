//! `keyferry plugin test` with cases of renewals.

use keyferry_tests::binary;
use keyferry_tests::plugins::{plugin, refused};

use crate::plugin_test::{cases, outcome};

const SLACK_RENEWAL: &str = r#"about = "The pair of the bot."
[credential]
auth-type = "oauth2"
fields = { access_token = "xoxe.xoxb-1-example", refresh_token = "xoxe-1-example" }
[renewal]
client = { id = "client-1", secret = "client-secret-1" }
[[exchange]]
method = "POST"
url = "https://slack.com/api/oauth.v2.access"
headers = { accept = "application/json" }
basic = { user = "{{client_id}}", password = "{{client_secret}}" }
form = { grant_type = "refresh_token", refresh_token = "{{refresh_token}}" }
answer = { status = 200, json = '{"ok":true,"access_token":"xoxe.xoxb-1-new","refresh_token":"xoxe-1-newer","expires_in":43200,"scope":"chat:write"}' }
[expect]
renewed = { access_token = "xoxe.xoxb-1-new", refresh_token = "xoxe-1-newer" }
expires-at = "2026-01-01T12:00:00Z"
scopes = ["chat:write"]
"#;

#[test]
fn every_departure_from_a_renewal_fails_with_what_differs() {
    let slack = binary::plugins().join("slack.wasm");
    let replaced = |from: &str, to: &str| {
        assert!(SLACK_RENEWAL.contains(from), "{from}");
        SLACK_RENEWAL.replacen(from, to, 1)
    };
    let (exchange, expect) = (SLACK_RENEWAL.find("[[exchange]]").unwrap(), SLACK_RENEWAL.find("[expect]").unwrap());
    let without_exchange = [&SLACK_RENEWAL[..exchange], &SLACK_RENEWAL[expect..]].concat();
    let failure = |failure: &str| [&SLACK_RENEWAL[..expect], "[expect]\n", failure].concat();
    let ended = replaced(r#""ok":true,"#, r#""ok":false,"error":"invalid_refresh_token","#);
    let cases_and_words = [
        (SLACK_RENEWAL.to_owned(), vec!["passed"]),
        (
            replaced(
                "renewed = { access_token = \"xoxe.xoxb-1-new\"",
                "renewed = { access_token = \"xoxe.xoxb-1-other\"",
            ),
            vec!["the result is another", "access_token = xoxe.xoxb-1-other", "access_token = xoxe.xoxb-1-new"],
        ),
        (
            replaced(", refresh_token = \"xoxe-1-newer\" }", " }"),
            vec![r#"{"kind":"found","text":"refresh_token = xoxe-1-newer"}"#],
        ),
        (
            replaced("T12:00:00Z", "T13:00:00Z"),
            vec!["expires-at: 2026-01-01T13:00:00Z", "expires-at: 2026-01-01T12:00:00Z"],
        ),
        (replaced("scopes = [\"chat:write\"]", ""), vec![r#"{"kind":"found","text":"scopes: chat:write"}"#]),
        (
            replaced("scopes = [", "fields = { domain = \"slack-gov.com\" }\nscopes = ["),
            vec![r#"{"kind":"expected","text":"field domain = slack-gov.com"}"#],
        ),
        (
            failure("failure = \"ended\""),
            vec![r#"{"kind":"expected","text":"ended"}"#, r#"{"kind":"found","text":"renewed"}"#],
        ),
        (ended, vec![r#"{"kind":"found","text":"ended"}"#, "(its detail: the provider says invalid_refresh_token)"]),
        (
            replaced("user = \"{{client_id}}\"", "user = \"{{client_secret}}\""),
            vec!["exchange 1: the plugin asked for something else", "user \\\"{{client_id}}\\\""],
        ),
        (replaced("oauth.v2.access", "oauth.access"), vec!["https://slack.com/api/oauth.v2.access"]),
        (without_exchange, vec!["asked for more than the case has", "form refresh_token={{refresh_token}}"]),
        (
            replaced("[renewal]", "[renewal]\npair = \"acces_token\""),
            vec![
                "case.toml:5: `acces_token` is no pair of `oauth2` that the plugin renews; did you mean `access_token`?",
            ],
        ),
        (
            replaced("renewed = { access_token", "renewed = { acces_token"),
            vec!["case.toml:14: `acces_token` is no token of the renewed pair; did you mean `access_token`?"],
        ),
        (
            replaced("auth-type = \"oauth2\"", "auth-type = \"keybased\""),
            vec!["case.toml:5: the plugin does not say that it renews tokens of `keybased`"],
        ),
    ];
    for (text, words) in cases_and_words {
        let folder = cases(&text);
        let told = outcome(&slack, folder.path()).to_string();
        for word in words {
            assert!(told.contains(word), "{word} in {told}\n{text}");
        }
    }
    let typo = cases(&replaced("[renewal]", "[renewal]\npiar = \"access_token\""));
    let said = refused(&plugin(typo.path(), &["test", slack.to_str().unwrap(), "--cases", "."]));
    assert!(said.contains("./case.toml:6: `piar` is no key here; did you mean `pair`?"), "{said}");
}
