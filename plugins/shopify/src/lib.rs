//! Shopify: the Admin API tokens of one shop.
//!
//! One GraphQL query tells which shop it is, and what the app may do there. Shopify tells the state of a shop by its status
//! codes: <https://shopify.dev/docs/api/usage/response-codes>.

use keyferry_plugin::prelude::*;

struct Shopify;

const QUERY: &str = r#"{"query":"{shop{id name myshopifyDomain}currentAppInstallation{accessScopes{handle}}}"}"#;

impl Plugin for Shopify {
    fn describe() -> App {
        App::new("shopify", "Shopify")
            .about("Online shops", &["e-commerce"])
            .docs("https://shopify.dev/docs/apps/build/authentication-authorization")
            .grant(Grant::host("*.myshopify.com").post("/admin/api/2026-07/graphql.json"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The tokens that an app got when a shop installed it.")
                    .field(shop())
                    .tokens("`access_token` in the answer of the shop's token endpoint."),
            )
            .auth(
                AuthType::keybased("Custom app")
                    .help("The Admin API token of a custom app of the shop.")
                    .field(shop())
                    .field(
                        Field::secret("access_token", "Admin API access token")
                            .required()
                            .help("Shopify admin > Settings > Apps > Develop apps > your app > API credentials.")
                            .example("shpat_00000000000000000000000000000000"),
                    ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let shop = credential.text("shop")?;
        let answer = Request::post(format!("https://{shop}.myshopify.com/admin/api/2026-07/graphql.json"))
            .header("X-Shopify-Access-Token", credential.secret("access_token")?)
            .json_body(QUERY)
            .send()?;
        let told = answer.json_or_null();
        let said = told.said("Shopify", &[], &["/errors/0/message", "/errors"]);
        // <https://shopify.dev/docs/api/admin-graphql#status_and_error_codes>
        match (answer.status(), told.optional_text("/errors/0/extensions/code").unwrap_or_default()) {
            (200, "ACCESS_DENIED") => Err(Failure::insufficient_scope(said)),
            (200, "THROTTLED") => Err(Failure::rate_limited(answer.retry_after(), said)),
            (200, "SHOP_INACTIVE") => Err(Failure::suspended(said)),
            (200, "INTERNAL_SERVER_ERROR") => Err(Failure::provider_error(200, said)),
            (200, _) if told.at("/errors").is_some() => Err(Failure::unexpected(said)),
            (200, _) => {
                let told = answer.json()?;
                let scopes = told.items("/data/currentAppInstallation/accessScopes").iter();
                Ok(Verified::new()
                    .account_id(told.text("/data/shop/id")?)
                    .display_name(told.text("/data/shop/name")?)
                    .scopes(scopes.filter_map(|scope| scope.optional_text("/handle")))
                    .expires_at_ms(credential.future_ms("expires_at"))
                    .config("domain", told.text("/data/shop/myshopifyDomain")?))
            }
            (401, _) => Err(Failure::rejected(said).field("access_token")),
            (402, _) => Err(Failure::suspended("The shop is frozen: its owner has to settle a bill with Shopify")),
            (403, _) => Err(match answer.json()?.text("/errors")? {
                "Unavailable Shop" => Failure::suspended(said),
                _ => Failure::insufficient_scope(said),
            }),
            (404, _) => Err(Failure::wrong_tenant(format!("there is no shop {shop}.myshopify.com")).field("shop")),
            (423, _) => Err(Failure::suspended("The shop is locked: its owner has to turn to Shopify's support")),
            _ => Err(answer.unexpected()),
        }
    }
}

fn shop() -> Field {
    Field::host_label("shop", "Shop").help("`acme` of acme.myshopify.com.").example("acme")
}

keyferry_plugin::export!(Shopify);
