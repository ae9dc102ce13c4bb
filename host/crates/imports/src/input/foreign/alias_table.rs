//! What other systems call the fields of the apps that Keyferry ships with.
//!
//! Names are listed in lower case, without anything but letters and digits: `applicationkey` is `applicationKey`, `application_key` and
//! `APPLICATION-KEY`. Of several names that are there, the first counts. A name that is only the field's own in another spelling
//! need not be here.

use super::alias::{Alias, beside, only_if, plain, shaped};
use super::salesforce::SALESFORCE;
use super::shape::{choice, email, github_server, label, project_of_email, region_site};

/// Names under which systems keep a bearer token of any app.
const TOKENS: &[&str] = &[
    "accesstoken",
    "oauthaccesstoken",
    "bearertoken",
    "token",
    "apitoken",
    "apikey",
    "genericapikey",
    "personalaccesstoken",
    "apptoken",
    "privateapptoken",
    "privateappaccesstoken",
    "pat",
    "authtoken",
    "secretkey",
    "password",
];
/// Names under which systems keep an API key of any app.
const KEYS: &[&str] = &[
    "apikey",
    "genericapikey",
    "key",
    "secretkey",
    "apisecretkey",
    "personalapikey",
    "bearertoken",
    "token",
    "apitoken",
    "accesstoken",
    "oauthaccesstoken",
    "password",
];

const AWS: &[Alias] = &[
    plain(
        "access_key_id",
        &[
            "accesskeyid",
            "awsaccesskeyid",
            "accesskey",
            "awsaccesskey",
            "awskeyid",
            "keyid",
            "username",
            "user",
            "clientid",
        ],
    ),
    plain(
        "secret_access_key",
        &[
            "secretaccesskey",
            "awssecretaccesskey",
            "secretkey",
            "awssecretkey",
            "accesskeysecret",
            "password",
            "secret",
            "clientsecret",
        ],
    ),
    plain("session_token", &["sessiontoken", "awssessiontoken", "securitytoken"]),
    plain("region", &["awsregion", "awsdefaultregion", "defaultregion", "regionname", "awsregionname"]),
];
const BIGQUERY: &[Alias] = &[
    plain("client_email", &["serviceaccountemailaddress", "serviceaccountemail", "serviceaccount", "email", "issuer"]),
    plain("private_key", &["serviceaccountprivatekey", "key"]),
    plain(
        "project_id",
        &[
            "project",
            "gcpprojectid",
            "gcpproject",
            "googleprojectid",
            "googlecloudprojectid",
            "defaultprojectid",
            "billingprojectid",
        ],
    ),
    shaped(
        "project_id",
        &["clientemail", "serviceaccountemailaddress", "serviceaccountemail", "serviceaccount", "email"],
        project_of_email,
    ),
];
const DATADOG: &[Alias] = &[
    plain("api_key", &["ddapikey", "datadogapikey", "apikey", "genericapikey", "username"]),
    plain(
        "app_key",
        &[
            "applicationkey",
            "ddapplicationkey",
            "ddappkey",
            "datadogapplicationkey",
            "datadogappkey",
            "apikeyapplication",
            "password",
        ],
    ),
    shaped(
        "site",
        &[
            "site",
            "siteparameter",
            "ddsite",
            "datadogsite",
            "region",
            "ddregion",
            "domain",
            "subdomain",
            "sitename",
            "baseurl",
            "apiurl",
            "url",
            "host",
            "hostname",
            "endpoint",
            "instanceendpoint",
            "serverlocation",
        ],
        region_site,
    ),
    // A value that names no site is reported, and no other site is asked.
    plain("site", &["siteparameter", "ddsite", "datadogsite"]),
];
const GITHUB: &[Alias] = &[
    plain("access_token", TOKENS),
    plain("app_id", &["applicationid", "githubappid"]),
    plain("installation_id", &["githubinstallationid"]),
    plain("private_key", &["githubprivatekey", "apiprivatekey"]),
    shaped(
        "base_url",
        &[
            "baseurl",
            "server",
            "githubserver",
            "serverurl",
            "enterpriseurl",
            "githuburl",
            "apiurl",
            "hostname",
            "host",
            "domain",
            "yourserver",
        ],
        github_server,
    ),
];
const HUBSPOT: &[Alias] = &[plain("access_token", TOKENS)];
const LINEAR: &[Alias] = &[plain("api_key", KEYS)];
const MAILCHIMP: &[Alias] = &[plain("api_key", KEYS)];
const NETSUITE: &[Alias] = &[
    plain("account_id", &["realm", "account", "netsuiteaccountid", "netsuiteaccount", "companyid", "subdomain"]),
    plain("consumer_key", &["clientid", "oauthconsumerkey", "consumerid", "oauthclientid", "oauthclientidoverride"]),
    plain(
        "consumer_secret",
        &["clientsecret", "oauthconsumersecret", "oauthclientsecret", "oauthclientsecretoverride"],
    ),
    plain("token_id", &["tokenkey", "oauthtoken", "accesstokenid", "accesstoken"]),
    plain("token_secret", &["oauthtokensecret", "accesstokensecret"]),
];
const PAYPAL: &[Alias] = &[
    plain("client_id", &["paypalclientid", "username", "apikey"]),
    plain("client_secret", &["secret", "clientsecretkey", "secretkey", "paypalclientsecret", "password"]),
    shaped(
        "environment",
        &[
            "environment",
            "env",
            "mode",
            "paypalenvironment",
            "issandbox",
            "sandbox",
            "apptype",
            "baseurl",
            "apiurl",
            "url",
            "endpoint",
            "hostname",
            "host",
            "domain",
        ],
        |value| choice(value, "sandbox", "live"),
    ),
    plain("environment", &["env", "paypalenvironment"]),
];
const SHOPIFY: &[Alias] = &[
    shaped(
        "shop",
        &[
            "shop",
            "shopsubdomain",
            "subdomain",
            "shopname",
            "shopid",
            "shopdomain",
            "storedomain",
            "storename",
            "store",
            "myshopifydomain",
            "shopurl",
            "storeurl",
            "siteurl",
            "sitename",
            "accounturl",
            "baseurl",
            "domain",
            "hostname",
            "host",
            "url",
        ],
        |value| label(value, ".myshopify.com"),
    ),
    plain(
        "access_token",
        &[
            "adminapiaccesstoken",
            "adminaccesstoken",
            "accesstoken",
            "oauthaccesstoken",
            "xshopifyaccesstoken",
            "apipassword",
            "password",
            "apikey",
            "genericapikey",
            "bearertoken",
            "token",
        ],
    ),
    plain("api_secret_key", &["appsecretkey", "apisecretkey", "sharedsecret", "apisecret"]),
];
const SLACK: &[Alias] = &[
    only_if("user_token", &["autheduseraccesstoken", "useraccesstoken", "usertoken", "useroauthtoken"], any),
    only_if(
        "user_token",
        &["accesstoken", "apikey", "genericapikey", "bearertoken", "token", "apitoken", "oauthaccesstoken"],
        |value| value.starts_with("xoxp-"),
    ),
    only_if("app_token", &["appleveltoken", "apptoken", "apikey", "genericapikey", "token", "accesstoken"], |value| {
        value.starts_with("xapp-")
    }),
    only_if(
        "bot_token",
        &[
            "botaccesstoken",
            "botoauthtoken",
            "botuseroauthtoken",
            "accesstoken",
            "apikey",
            "genericapikey",
            "bearertoken",
            "token",
            "apitoken",
            "oauthaccesstoken",
        ],
        |value| !value.starts_with("xoxp-") && !value.starts_with("xapp-"),
    ),
    plain("user_refresh_token", &["autheduserrefreshtoken"]),
    plain("signing_secret", &["signaturesecret", "webhooksignature", "webhooksignaturesecret"]),
];
const STRIPE: &[Alias] = &[
    only_if("api_key", &["clientsecret"], |value| value.starts_with("sk_") || value.starts_with("rk_")),
    plain(
        "api_key",
        &[
            "apikey",
            "genericapikey",
            "secretkey",
            "stripesecretkey",
            "stripeapikey",
            "restrictedkey",
            "bearertoken",
            "accesstoken",
            "oauthaccesstoken",
            "username",
            "token",
            "key",
            "secret",
        ],
    ),
    only_if("stripe_context", &["context"], is_account),
    only_if(
        "stripe_account",
        &["context", "connectedaccount", "connectedaccountid", "stripeaccountid", "accountid", "account"],
        |value| is_account(value) && !value.contains('/'),
    ),
];
const TWILIO: &[Alias] = &[
    only_if("account_sid", &["accountsid", "accountid", "account", "subdomain", "username", "user", "sid"], |value| {
        value.starts_with("AC")
    }),
    only_if("api_key_sid", &["apikeysid", "apisid", "keysid", "apikey", "username", "user", "sid"], |value| {
        value.starts_with("SK")
    }),
    plain("api_key_secret", &["apisecret", "apikeysecret", "keysecret"]),
    beside("api_key_secret", &["secret", "password"], "api_key_sid"),
    only_if(
        "auth_token",
        &["authtoken", "authenticationtoken", "password", "genericapikey", "token", "apikey"],
        |value| !value.starts_with("SK"),
    ),
];
const XERO: &[Alias] = &[plain("tenant_id", &["xerotenantid", "organisationid", "organizationid", "orgid"])];
const ZENDESK: &[Alias] = &[
    shaped(
        "subdomain",
        &[
            "subdomain",
            "yourdomain",
            "zendesksubdomain",
            "domain",
            "accounturl",
            "instanceurl",
            "instanceendpoint",
            "baseurl",
            "apiurl",
            "hostname",
            "host",
            "url",
            "siteurl",
        ],
        |value| label(value, ".zendesk.com"),
    ),
    shaped("email", &["email", "username", "user", "useremail", "emailaddress", "adminemail", "agentemail"], email),
    plain("api_token", &["apitoken", "password", "apikey", "genericapikey", "token"]),
];

/// The names of an app's fields, or of any app's.
pub(in crate::input) fn aliases(slug: &str) -> &'static [Alias] {
    match slug {
        "aws" => AWS,
        "bigquery" => BIGQUERY,
        "datadog" => DATADOG,
        "github" => GITHUB,
        "hubspot" => HUBSPOT,
        "linear" => LINEAR,
        "mailchimp" => MAILCHIMP,
        "netsuite" => NETSUITE,
        "paypal" => PAYPAL,
        "salesforce" => SALESFORCE,
        "shopify" => SHOPIFY,
        "slack" => SLACK,
        "stripe" => STRIPE,
        "twilio" => TWILIO,
        "xero" => XERO,
        "zendesk" => ZENDESK,
        _ => &[],
    }
}

/// Names of the fields that most apps have, under OAuth 2.0 above all.
pub(in crate::input) const COMMON: &[Alias] = &[
    plain("access_token", &["oauthaccesstoken"]),
    plain("refresh_token", &["oauthrefreshtoken"]),
    plain("client_id", &["oauthclientid", "oauthclientidoverride"]),
    plain("client_secret", &["oauthclientsecret", "oauthclientsecretoverride"]),
];

fn any(_: &str) -> bool {
    true
}

fn is_account(value: &str) -> bool {
    value.starts_with("acct_")
}

#[cfg(test)]
mod tests {
    use super::super::alias::folded;
    use super::*;

    #[test]
    fn names_are_folded_and_each_stands_once_in_its_list() {
        for slug in ["aws", "datadog", "github", "salesforce", "shopify", "slack", "stripe", "twilio", "zendesk"] {
            for alias in aliases(slug).iter().chain(COMMON) {
                for (n, name) in alias.names.iter().enumerate() {
                    assert_eq!(folded(name), *name, "{slug} {}", alias.field);
                    assert!(!alias.names[..n].contains(name), "{slug} {}: {name}", alias.field);
                }
            }
        }
    }
}
