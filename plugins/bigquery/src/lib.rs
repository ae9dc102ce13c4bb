//! BigQuery: the key of a service account, or OAuth tokens.
//!
//! A service account signs a token request (<https://developers.google.com/identity/protocols/oauth2/service-account>);
//! with the token it lists one dataset of the project. The key file's `token_uri` is not used: whoever made the file could
//! name a host of their own there.

use keyferry_plugin::prelude::*;

struct BigQuery;

const TOKEN: &str = "https://oauth2.googleapis.com/token";
/// The domain of Google's own cloud. A partner's has another, and knows other keys:
/// <https://cloud.google.com/sovereign-cloud>; a key file names it as `universe_domain`.
const UNIVERSE: &str = "googleapis.com";
/// Members of a key file that nothing depends on, so that the file can be handed over as it is.
const UNUSED: [&str; 6] =
    ["type", "client_id", "auth_uri", "token_uri", "auth_provider_x509_cert_url", "client_x509_cert_url"];

impl Plugin for BigQuery {
    fn describe() -> App {
        let key = AuthType::keybased("Service account")
            .help("The members of a service account's key file.")
            .field(project())
            .field(
                Field::text("client_email", "Service account")
                    .required()
                    .pattern("^[0-9A-Za-z.-]+@[0-9A-Za-z.-]+$")
                    .help("`client_email` in the key file.")
                    .example("importer@acme-example.iam.gserviceaccount.com"),
            )
            .field(
                Field::secret("private_key", "Private key")
                    .multiline()
                    .required()
                    .help("`private_key` in the key file: PEM of several lines.")
                    .example("-----BEGIN PRIVATE KEY-----\nexample\n-----END PRIVATE KEY-----"),
            )
            .field(
                Field::text("private_key_id", "Key ID")
                    .pattern("^[0-9A-Za-z]+$")
                    .help("`private_key_id` in the key file.")
                    .example("0123456789abcdef"),
            );
        let unused = |key: AuthType, name: &&str| {
            key.field(Field::text(name, name).help("In the key file; not used.").example("example"))
        };
        App::new("bigquery", "BigQuery")
            .about("Data warehouse of Google Cloud", &["data-warehouse", "analytics"])
            .docs("https://cloud.google.com/bigquery/docs/authentication")
            .grant(Grant::host("oauth2.googleapis.com").post("/token"))
            .grant(Grant::host("bigquery.googleapis.com").get("/bigquery/v2/projects"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The tokens that an app got when a user allowed it to use BigQuery.")
                    .field(project())
                    .tokens("`access_token` in the answer of Google's token endpoint. It lasts an hour.")
                    // https://developers.google.com/identity/protocols/oauth2/web-server#offline
                    .renewal(
                        Renewal::refresh("https://oauth2.googleapis.com/token").access_life(HOUR).idle_life(180 * DAY),
                    ),
            )
            .auth(
                UNUSED.iter().fold(key, unused).field(
                    Field::text("universe_domain", "Universe domain")
                        .help("In the key file: whose cloud it is.")
                        .example("googleapis.com"),
                ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let project = &credential.text("project_id")?.to_ascii_lowercase();
        let universe = credential.optional_text("universe_domain").unwrap_or(UNIVERSE);
        if !universe.eq_ignore_ascii_case(UNIVERSE) {
            let detail = format!("the key is of the cloud {universe}, and this plugin asks Google's own, {UNIVERSE}");
            return Err(Failure::not_verifiable(detail));
        }
        match credential.optional_secret("private_key") {
            None => Ok(probe(project, credential.secret("access_token")?, &["access_token"])?
                .expires_at_ms(credential.future_ms("expires_at"))),
            Some(key) => {
                let (email, now) = (credential.text("client_email")?, keyferry_plugin::clock::now_ms() / 1000);
                let scope = "https://www.googleapis.com/auth/bigquery.readonly";
                let claims = format!(
                    r#"{{"iss":"{email}","scope":"{scope}","aud":"{TOKEN}","iat":{now},"exp":{}}}"#,
                    now + 3600
                );
                let mut jwt = Jwt::rs256(key, claims);
                if let Some(id) = credential.optional_text("private_key_id") {
                    jwt = jwt.header(format!(r#"{{"kid":"{id}"}}"#));
                }
                let response = Request::post(TOKEN)
                    .form_field("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                    .form_field("assertion", jwt)
                    .send()?;
                let fields = &["client_email", "private_key"];
                match response.status() {
                    200 => Ok(probe(project, response.minted("/access_token")?, fields)?.config("client_email", email)),
                    400 | 401 => Err(refused(&response, fields)?),
                    _ => Err(response.unexpected()),
                }
            }
        }
    }
}

fn project() -> Field {
    Field::text("project_id", "Project ID")
        .required()
        .pattern("(?i)^([a-z][a-z0-9.:-]{4,62}|[0-9]{4,20})$")
        .help("Google Cloud console > project selector.")
        .example("acme-example")
}

/// `invalid_grant` for whatever is wrong with the signed request. One of them is the clock that it was signed by, which is
/// not the key's fault: `Token must be a short-lived token (60 minutes) and in a reasonable timeframe`.
fn refused(response: &Response, fields: &[&str]) -> Result<Failure, Failure> {
    let problem = response.json()?;
    problem.text("/error")?;
    let said = problem.said("Google", &["/error"], &["/error_description"]);
    let is_clock = said.contains("reasonable timeframe");
    Ok(if is_clock { Failure::unexpected(said) } else { Failure::rejected(said).fields(fields) })
}

/// <https://cloud.google.com/bigquery/docs/error-messages>
fn probe(project: &str, token: &Secret, fields: &[&str]) -> Result<Verified, Failure> {
    let response = Request::get("https://bigquery.googleapis.com/bigquery/v2/projects")
        .segment(project)
        .segment("datasets")
        .query("maxResults", "1")
        .bearer(token)
        .send()?;
    let told = response.json()?;
    let detail = told.said("Google", &["/error/errors/0/reason"], &["/error/message"]);
    match (response.status(), told.optional_text("/error/errors/0/reason").unwrap_or_default()) {
        (200, _) if told.optional_text("/kind") == Some("bigquery#datasetList") => {
            Ok(Verified::new().account_id(project).display_name(format!("Project {project}")))
        }
        (401, _) => Err(Failure::rejected(detail).fields(fields)),
        (403, "rateLimitExceeded" | "quotaExceeded") => Err(Failure::rate_limited(response.retry_after(), detail)),
        (403, "accessDenied") => Err(Failure::insufficient_scope(detail).scope("bigquery.datasets.get")),
        // A scope that the token lacks, or a project in which BigQuery is not enabled: the message says which.
        (403, _) if told.optional_text("/error/message").is_some() => Err(Failure::insufficient_scope(detail)),
        (404, _) => Err(Failure::wrong_tenant(detail).field("project_id")),
        _ => Err(response.unexpected()),
    }
}

keyferry_plugin::export!(BigQuery);
