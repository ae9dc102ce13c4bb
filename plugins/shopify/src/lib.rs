//! Shopify: the Admin API tokens of one shop, or the id and secret of an app of the shop's owner, by which it gets one
//! (<https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant>).
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
            .grant(Grant::host("*.myshopify.com").post("/admin/api/2026-07/graphql.json").post("/admin/oauth/access_token"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The tokens that an app got when a shop installed it.")
                    .field(shop())
                    .tokens("`access_token` in the answer of the shop's token endpoint.")
                    // https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/offline-access-tokens
                    .renewal(
                        Renewal::refresh("https://{shop}.myshopify.com/admin/oauth/access_token")
                            .rotation(Rotation::UntilNextUsed)
                            .access_life(HOUR)
                            .idle_life(90 * DAY)
                            // The same code alone is that of a wrong client.
                            .ended_if("invalid_request", "requires an active refresh_token")
                            // An id that Shopify does not know gets a page, and not JSON.
                            .code_in_page("Oauth error ")
                            .client_refused_by(&["application_cannot_be_found"]),
                    ),
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
                    )
                    .field(
                        Field::secret("api_secret_key", "API secret key")
                            .help("Beside the token: what webhooks are signed with. It is stored as it is: no request can check it.")
                            .example("shpss_00000000000000000000000000000000"),
                    ),
            )
            .auth(
                AuthType::client_credentials("Client credentials", "Dev Dashboard > Apps > your app > Settings.")
                    .help("The id and secret of an app of the Dev Dashboard, installed in a shop of the same organisation.")
                    .field(shop()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let shop = &shop_of(&credential)?;
        match credential.optional_secret("access_token") {
            Some(token) => probe(&credential, shop, token),
            None => {
                let response = minted(&credential, shop)?;
                probe(&credential, shop, response.minted("/access_token")?)
            }
        }
    }

    fn renew(credential: &Credential, renewal: Renewal, client: Option<&Client>) -> Result<Renewed, RenewalFailure> {
        let shop = shop_of(credential)?;
        renewal.at(&format!("https://{shop}.myshopify.com/admin/oauth/access_token")).send(credential, client)
    }
}

/// `acme` of acme.myshopify.com.
fn shop_of(credential: &Credential) -> Result<String, Failure> {
    credential.tenant("shop", "myshopify.com").or_else(|failure| in_admin(credential).ok_or(failure))
}

fn shop() -> Field {
    let page = r"admin\.shopify\.com/store/[a-z0-9][a-z0-9-]*";
    let shop = Field::tenant("shop", "Shop", "myshopify.com").help("`acme` of acme.myshopify.com.").example("acme");
    shop.or_pattern(&format!("(https?://)?{page}([/?#].*)?"))
}

/// The shop of a page of the admin: `https://admin.shopify.com/store/acme/orders`.
fn in_admin(credential: &Credential) -> Option<String> {
    let address = Address::read(credential.optional_text("shop")?);
    let mut path = address.path();
    let is_admin = address.host() == "admin.shopify.com" && path.next() == Some("store");
    path.next().filter(|_| is_admin).map(str::to_ascii_lowercase)
}

/// A token for the app itself, which lasts a day.
fn minted(credential: &Credential, shop: &str) -> Result<Response, Failure> {
    let response = Request::post(format!("https://{shop}.myshopify.com/admin/oauth/access_token"))
        .header("Accept", "application/json")
        .form_field("grant_type", "client_credentials")
        .form_field("client_id", credential.text("client_id")?)
        .form_field("client_secret", credential.secret("client_secret")?)
        .send()?;
    let told = response.json_or_null();
    let said = told.said("Shopify", &["/error"], &["/error_description"]);
    match (response.status(), told.optional_text("/error").unwrap_or_default()) {
        (200, _) => Ok(response),
        (_, "shop_not_permitted") => Err(Failure::wrong_tenant(said).field("shop")),
        (_, "app_not_installed") => Err(Failure::wrong_tenant(said).fields(&["shop", "client_id"])),
        (400 | 401, "application_cannot_be_found" | "invalid_client" | "invalid_request") => {
            Err(Failure::rejected(said).fields(&["client_id", "client_secret"]))
        }
        (404, _) => Err(no_such_shop(shop)),
        _ => Err(response.unexpected()),
    }
}

fn no_such_shop(shop: &str) -> Failure {
    Failure::wrong_tenant(format!("there is no shop {shop}.myshopify.com")).field("shop")
}

fn probe(credential: &Credential, shop: &str, token: &Secret) -> Result<Verified, Failure> {
    let response = Request::post(format!("https://{shop}.myshopify.com/admin/api/2026-07/graphql.json"))
        .header("X-Shopify-Access-Token", token)
        .json_body(QUERY)
        .send()?;
    let told = response.json();
    let problem = told.as_ref().unwrap_or(&Json::Null);
    let said = problem.said("Shopify", &[], &["/errors/0/message", "/errors"]);
    // <https://shopify.dev/docs/api/admin-graphql#status_and_error_codes>
    match (response.status(), problem.optional_text("/errors/0/extensions/code").unwrap_or_default()) {
        (200, "ACCESS_DENIED") => Err(Failure::insufficient_scope(said)),
        (200, "THROTTLED") => Err(Failure::rate_limited(response.retry_after(), said)),
        (200, "SHOP_INACTIVE") => Err(Failure::suspended(said)),
        (200, "INTERNAL_SERVER_ERROR") => Err(Failure::provider_error(200, said)),
        (200, _) if problem.at("/errors").is_some() => Err(Failure::unexpected(said)),
        (200, _) => {
            let told = told?;
            let scopes = told.items("/data/currentAppInstallation/accessScopes").iter();
            Ok(Verified::new()
                .account_id(told.text("/data/shop/id")?)
                .display_name(told.text("/data/shop/name")?)
                .scopes(scopes.filter_map(|scope| scope.optional_text("/handle")))
                .expires_at_ms(credential.future_ms("expires_at"))
                .config("domain", told.text("/data/shop/myshopifyDomain")?))
        }
        (401, _) => {
            let field = credential.optional_secret("access_token").map_or("client_secret", |_| "access_token");
            Err(Failure::rejected(said).field(field))
        }
        (402, _) => Err(Failure::suspended("The shop is frozen: its owner has to settle a bill with Shopify")),
        (403, _) => Err(match told?.text("/errors")? {
            "Unavailable Shop" => Failure::suspended(said),
            _ => Failure::insufficient_scope(said),
        }),
        (404, _) => Err(no_such_shop(shop)),
        (423, _) => Err(Failure::suspended("The shop is locked: its owner has to turn to Shopify's support")),
        _ => Err(response.unexpected()),
    }
}

keyferry_plugin::export!(Shopify);
