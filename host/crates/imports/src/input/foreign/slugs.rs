//! Names by which other systems call the apps that Keyferry ships with.

/// Names in lower case, of letters and digits only, by app. They do not include an app's own slug.
const NAMES: [(&str, &[&str]); 16] = [
    (
        "aws",
        &[
            "awsiam",
            "awssigv4",
            "awscredentials",
            "awsapikey",
            "amazonaws",
            "amazonwebservices",
            "awscloudtrail",
            "awsinspector2",
        ],
    ),
    (
        "bigquery",
        &[
            "googlebigquery",
            "googlecloud",
            "googlebigqueryoauth2",
            "googleserviceaccount",
            "googleapi",
            "gcp",
            "googlecloudbigquery",
        ],
    ),
    ("datadog", &["datadogapikey", "datadoghq"]),
    (
        "github",
        &[
            "githubpat",
            "githubapp",
            "githubappoauth",
            "githuboauth",
            "githuboauth2",
            "githubapikey",
            "githubenterprise",
        ],
    ),
    (
        "hubspot",
        &[
            "hubspotapptoken",
            "hubspotprivateapp",
            "hubspotapikey",
            "hubspotoauth2",
            "hubspotoauth",
            "hubspotpat",
            "hubspotcrm",
            "hubspotdeveloper",
        ],
    ),
    ("linear", &["linearapp", "linearapikey", "linearoauth2", "linearoauth"]),
    ("mailchimp", &["mailchimpapikey", "mailchimpoauth2", "mailchimpoauth", "mailchimpmarketing"]),
    (
        "netsuite",
        &[
            "netsuitetba",
            "netsuiteoauth2",
            "netsuiteoauth",
            "netsuiterest",
            "oraclenetsuite",
            "netsuiteclientcredentials",
        ],
    ),
    ("paypal", &["paypalsandbox", "paypaloauth2", "paypaloauth2cc", "paypaltransaction", "paypalrest"]),
    (
        "salesforce",
        &[
            "salesforcesandbox",
            "salesforcecc",
            "salesforcejwt",
            "salesforceoauth2",
            "salesforceoauth",
            "salesforcerestapi",
            "salesforcecrm",
            "salesforceexperiencecloud",
        ],
    ),
    (
        "shopify",
        &[
            "shopifyapikey",
            "shopifycc",
            "shopifyoauth2",
            "shopifyoauth",
            "shopifyaccesstoken",
            "shopifydeveloperapp",
            "shopifyadmin",
        ],
    ),
    (
        "slack",
        &["slackv2", "slackbot", "slackbots", "slackoauth2", "slackoauth", "slackapikey", "slackuser", "slackbottoken"],
    ),
    (
        "stripe",
        &[
            "stripeapikey",
            "stripeapp",
            "stripeappsandbox",
            "stripeexpress",
            "stripeoauth2",
            "stripeconnect",
            "stripeoauth",
        ],
    ),
    ("twilio", &["twiliobasic", "twilioapikey", "dannytwiliotest", "twilioauthtoken"]),
    ("xero", &["xerooauth2", "xerooauth2cc", "xerooauth", "xeroaccountingapi", "xeroaccounting", "xerocc"]),
    (
        "zendesk",
        &["zendeskapikey", "zendeskapitoken", "zendeskoauth2", "zendeskoauth", "zendesksupport", "zendeskbasic"],
    ),
];
/// Suffixes that distinguish the authentication methods of one app: `netsuite-tba`.
const WAYS: [&str; 9] = ["-oauth2-cc", "-oauth2", "-oauth", "-api-key", "-api-token", "-basic", "-jwt", "-pat", "-tba"];

/// The app that Keyferry ships with and that other systems call so: `Google BigQuery` -> `bigquery`.
pub(crate) fn usual(name: &str) -> Option<&'static str> {
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let known = |(slug, names): &&(&'static str, &[&str])| *slug == folded || names.contains(&folded.as_str());
    NAMES.iter().find(known).map(|(slug, _)| *slug)
}

/// The slug that a name suggests: `NetSuite TBA` -> `netsuite`, `GOOGLEBIGQUERY` -> `bigquery`.
pub(super) fn obvious(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    let lower = lower.strip_prefix("source-").unwrap_or(&lower);
    if let Some(slug) = usual(lower) {
        return slug.to_owned();
    }
    let plain: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    WAYS.iter().find_map(|way| plain.strip_suffix(way)).filter(|app| !app.is_empty()).unwrap_or(plain).to_owned()
}

/// The app that a type of n8n's is for: `slackOAuth2Api` -> `slack`, `hubspotAppToken` -> `hubspot`.
pub(super) fn of_type(name: &str) -> String {
    let ends = ["OAuth2Api", "OAuth1Api", "AccessTokenApi", "AppTokenApi", "TokenApi", "Api", "AppToken", "OAuth2"];
    let whole = obvious(name);
    if NAMES.iter().any(|(slug, _)| *slug == whole) {
        return whole;
    }
    let stem = ends.iter().find_map(|end| name.strip_suffix(end)).filter(|stem| !stem.is_empty()).unwrap_or(name);
    obvious(&kebab(stem))
}

/// `netSuiteTba` -> `net-suite-tba`
fn kebab(name: &str) -> String {
    let mut kebab = String::with_capacity(name.len() + 4);
    let mut before = '-';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
        before = c;
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_apps_are_told_by_plain_rules() {
        for (name, slug) in [
            ("hubspot", "hubspot"),
            ("HubSpot", "hubspot"),
            ("netsuite-tba", "netsuite"),
            ("NetSuite TBA", "netsuite"),
            ("paypal-oauth2-cc", "paypal"),
            ("google-bigquery", "bigquery"),
            ("GOOGLEBIGQUERY", "bigquery"),
            ("google-service-account", "bigquery"),
            ("shopify-api-key", "shopify"),
            ("shopify-cc", "shopify"),
            ("shopify_developer_app", "shopify"),
            ("salesforce-sandbox", "salesforce"),
            ("salesforce_rest_api", "salesforce"),
            ("aws-iam", "aws"),
            ("github-pat", "github"),
            ("github-app-oauth", "github"),
            ("stripe-api-key", "stripe"),
            ("xero-oauth2-cc", "xero"),
            ("xero_accounting_api", "xero"),
            ("zendesk-api-key", "zendesk"),
            ("Zendesk Support", "zendesk"),
            ("source-paypal-transaction", "paypal"),
            ("slack_v2", "slack"),
            ("linear_app", "linear"),
            ("Google Sheets", "google-sheets"),
            ("one_drive", "one-drive"),
            ("acme-api-key", "acme"),
            ("-pat", "pat"),
        ] {
            assert_eq!(obvious(name), slug, "{name}");
        }
    }

    #[test]
    fn a_type_of_n8ns_says_which_app_it_is_for() {
        for (name, slug) in [
            ("aws", "aws"),
            ("googleApi", "bigquery"),
            ("googleBigQueryOAuth2Api", "bigquery"),
            ("datadogApi", "datadog"),
            ("githubApi", "github"),
            ("githubOAuth2Api", "github"),
            ("hubspotAppToken", "hubspot"),
            ("hubspotOAuth2Api", "hubspot"),
            ("linearApi", "linear"),
            ("mailchimpApi", "mailchimp"),
            ("netsuite", "netsuite"),
            ("netSuiteTbaApi", "netsuite"),
            ("payPalApi", "paypal"),
            ("salesforceJwtApi", "salesforce"),
            ("salesforceOAuth2Api", "salesforce"),
            ("shopifyApi", "shopify"),
            ("shopifyAccessTokenApi", "shopify"),
            ("slackApi", "slack"),
            ("stripeApi", "stripe"),
            ("twilioApi", "twilio"),
            ("xeroOAuth2Api", "xero"),
            ("zendeskApi", "zendesk"),
            ("acmeWidgetsApi", "acme-widgets"),
        ] {
            assert_eq!(of_type(name), slug, "{name}");
        }
    }
}
