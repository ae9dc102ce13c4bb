//! A plugin that sends the request that its credential describes, signed with the scheme that the auth type names. The
//! verdict is the receiver's judgement of the signature.

use keyferry_plugin::prelude::*;

struct Signer;

impl Plugin for Signer {
    fn describe() -> App {
        let secret = |name: &str| Field::secret(name, name).required();
        let text = |name: &str| Field::text(name, name);
        let private_key = |name: &str| {
            request(AuthType::new(name, name)).field(secret("key").multiline()).field(text("kid")).field(text("note"))
        };
        App::new("signer", "Signer")
            .docs("https://signer.example/docs")
            .grant(Grant::host("signer.example").get("/").post("/").put("/").delete("/"))
            .auth(
                request(AuthType::new("oauth1", "OAuth 1.0a"))
                    .field(secret("consumer_key"))
                    .field(secret("consumer_secret"))
                    .field(secret("token"))
                    .field(secret("token_secret"))
                    .field(text("realm")),
            )
            .auth(
                request(AuthType::new("sigv4", "SigV4"))
                    .field(text("access_key_id").required())
                    .field(secret("secret_access_key"))
                    .field(Field::secret("session_token", "session_token"))
                    .field(text("region").required())
                    .field(text("service").required()),
            )
            .auth(private_key("rs256"))
            .auth(private_key("es256"))
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let text = |name: &str| credential.optional_text(name).unwrap_or_default();
        let list = |name: &str| Json::parse(text(name).as_bytes()).unwrap_or(Json::Null);
        let url = "https://signer.example";
        let mut request = match text("method") {
            "POST" => Request::post(url),
            "PUT" => Request::put(url),
            "DELETE" => Request::delete(url),
            _ => Request::get(url),
        };
        for segment in list("path").texts("") {
            request = request.segment(segment);
        }
        for pair in list("query").items("") {
            request = request.query(pair.text("/0")?, pair.text("/1")?);
        }
        for pair in list("headers").items("") {
            request = request.header(pair.text("/0")?, pair.text("/1")?);
        }
        for pair in list("form").items("") {
            request = request.form_field(pair.text("/0")?, pair.text("/1")?);
        }
        if let Some(json) = credential.optional_text("json") {
            request = request.json_body(json);
        }
        let request = match credential.auth_type() {
            "oauth1" => {
                let signature =
                    OAuth1::consumer(credential.secret("consumer_key")?, credential.secret("consumer_secret")?)
                        .token(credential.secret("token")?, credential.secret("token_secret")?);
                request.oauth1(match credential.optional_text("realm") {
                    Some(realm) => signature.realm(realm),
                    None => signature,
                })
            }
            "sigv4" => {
                let signature = SigV4::key(text("access_key_id"), credential.secret("secret_access_key")?)
                    .scope(text("region"), text("service"));
                request.sigv4(match credential.optional_secret("session_token") {
                    Some(token) => signature.session_token(token),
                    None => signature,
                })
            }
            algorithm => {
                let (key, now) = (credential.secret("key")?, keyferry_plugin::clock::now_ms() / 1000);
                // The test supplies `note` and `kid` as JSON.
                let claims = format!(
                    r#"{{"iss":"keyferry","aud":"{url}","iat":{now},"exp":{},"note":{}}}"#,
                    now + 300,
                    text("note")
                );
                let jwt = if algorithm == "es256" { Jwt::es256(key, claims) } else { Jwt::rs256(key, claims) };
                request.form_field("assertion", jwt.header(format!(r#"{{"kid":{}}}"#, text("kid"))))
            }
        };
        let answer = request.send()?;
        match answer.status() {
            200 => Ok(Verified::new()),
            _ => Err(Failure::rejected(answer.json()?.text("/problem")?)),
        }
    }
}

/// The request to send; lists are JSON.
fn request(auth_type: AuthType) -> AuthType {
    let fields = ["method", "path", "query", "headers", "form", "json"];
    fields.into_iter().fold(auth_type, |auth_type, name| auth_type.field(Field::text(name, name).multiline()))
}

keyferry_plugin::export!(Signer);
