use super::renewable::{Meaning, Rule};
use super::{Client, Renewal, RenewalFailure, Renewed};
use crate::{Address, Credential, Failure, Json, Request, Response, clock, url};

/// An access token that lasts longer than this is not believed: ten years, in seconds.
const LONGEST_LIFE: u64 = 10 * 366 * 24 * 60 * 60;

impl Renewal {
    /// Spends the refresh token of a credential at the token endpoint (RFC 6749, section 6).
    ///
    /// # Errors
    /// What the provider answered. Only documented answers end the connection or blame the client.
    pub fn send(&self, credential: &Credential, client: Option<&Client>) -> Result<Renewed, RenewalFailure> {
        let missing = |what: &str| RenewalFailure::not_renewable(&[what], format!("`{what}` is missing"));
        let refresh_token =
            credential.optional_secret(&self.refresh_token).ok_or_else(|| missing(&self.refresh_token))?;
        let mut request = self
            .request(credential)?
            .header("Accept", "application/json")
            .form_field("grant_type", "refresh_token")
            .form_field("refresh_token", refresh_token);
        for (name, value) in &self.more {
            request = request.form_field(name, value);
        }
        if let Some(client) = client {
            request = client.add_to(request, self.client);
        }
        self.read(request.send_as_is()?)
    }

    /// The request to the token endpoint, with the credential's fields in its URL.
    fn request<'a>(&self, credential: &Credential) -> Result<Request<'a>, RenewalFailure> {
        let value = |field: &str| {
            credential.optional_text(field).ok_or_else(|| {
                let detail = format!("`{field}` is missing, which is part of the token endpoint's URL");
                RenewalFailure::not_renewable(&[field], detail)
            })
        };
        let pieces = url::split(&self.url);
        let origin = match placeholder(&pieces.origin) {
            Some((before, field, domain)) => format!("{before}{}{domain}", host(value(field)?, domain)),
            None => pieces.origin,
        };
        let mut request = Request::post(origin);
        for segment in &pieces.segments {
            request = match placeholder(segment) {
                Some(("", field, "")) => request.segment(value(field)?),
                _ => request.segment(segment),
            };
        }
        Ok(request)
    }

    /// Reads a token endpoint's answer. The body is judged before the status: some providers send errors with 200.
    fn read(&self, mut response: Response) -> Result<Renewed, RenewalFailure> {
        if let Some(trouble) = response.trouble() {
            return Err(trouble.into());
        }
        let told = match response.json() {
            Ok(told) => told,
            Err(failure) => of_form(&response).or_else(|| self.of_page(&response)).ok_or(failure)?,
        };
        let said = || told.said("the provider", &CODES, &DESCRIPTIONS);
        match self.meaning(&told) {
            Some(Meaning::Ended) => return Err(RenewalFailure::ended(said())),
            Some(Meaning::ClientRefused) => return Err(RenewalFailure::client_refused(said())),
            Some(Meaning::Later) => return Err(Failure::unexpected(said()).into()),
            None => {}
        }
        if !(200..300).contains(&response.status()) || told.at("/access_token").is_none() {
            let is_said = told.first_text(&CODES).is_some();
            return Err(if is_said { Failure::unexpected(said()) } else { response.unexpected() }.into());
        }
        let now = clock::now_ms();
        let ends = |pointers: &[&str]| Some(now.saturating_add(life(&told, pointers)?.saturating_mul(1000)));
        let access_token = response.take_minted("/access_token")?;
        let mut renewed = Renewed::new(access_token)
            .refresh_token(response.take_minted("/refresh_token").ok())
            .expires_at_ms(ends(&["/expires_in"]))
            .refresh_expires_at_ms(ends(&["/refresh_token_expires_in", "/x_refresh_token_expires_in"]))
            .scopes(named_scopes(&told));
        for (field, pointer) in &self.fields {
            if let Some(value) = told.optional_text(pointer).filter(|value| !value.is_empty()) {
                renewed = renewed.field(field, value);
            }
        }
        Ok(renewed)
    }
}

/// An answer in the form that GitHub and older providers write it in: `access_token=***&expires_in=3600`.
fn of_form(response: &Response) -> Option<Json> {
    let is_form =
        response.header("content-type").is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    let text = std::str::from_utf8(response.body()).ok().filter(|_| is_form)?;
    Some(Json::Object(url::pairs(text).map(|(name, value)| (name, Json::Text(value))).collect()))
}

/// Where an answer may have its error code, and what it says of it.
const CODES: [&str; 4] = ["/error", "/error/code", "/status", "/code"];
const DESCRIPTIONS: [&str; 3] = ["/error_description", "/message", "/error/message"];

impl Renewal {
    /// The error of an answer that is a page.
    fn of_page(&self, response: &Response) -> Option<Json> {
        let code = code_after(std::str::from_utf8(response.body()).ok()?, self.page_words.as_ref()?)?;
        Some(Json::Object([("error".to_owned(), Json::Text(code.to_owned()))].into_iter().collect()))
    }

    /// What the answer's error code means, if it is one that the provider documents.
    fn meaning(&self, told: &Json) -> Option<Meaning> {
        let description = told.first_text(&DESCRIPTIONS).unwrap_or_default();
        let applies = |rule: &&Rule| {
            let is_code = CODES.iter().any(|pointer| told.optional_text(pointer) == Some(&rule.code));
            is_code && rule.words.as_ref().is_none_or(|words| description.contains(words))
        };
        self.rules.iter().find(applies).map(|rule| rule.meaning)
    }
}

/// The scopes of an answer; an empty text names none.
fn named_scopes(told: &Json) -> Option<Vec<String>> {
    match told.at("/scope")? {
        Json::List(_) => Some(told.texts("/scope").into_iter().map(str::to_owned).collect()),
        _ => told.optional_text("/scope").filter(|text| !text.is_empty()).map(scopes),
    }
}

/// The code after these words of a page.
fn code_after<'a>(page: &'a str, words: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(words)?;
    let code = rest.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next()?;
    Some(code).filter(|code| !code.is_empty())
}

/// Scopes as RFC 6749 writes them, with spaces between them, or with commas as others do.
fn scopes(text: &str) -> Vec<String> {
    text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// Seconds that a token lasts, as a number or a string. Zero, a negative and an absurd one say nothing.
fn life(told: &Json, pointers: &[&str]) -> Option<u64> {
    let text = told.first_text(pointers)?;
    let seconds = text.split('.').next()?.trim().parse::<u64>().ok()?;
    (1..=LONGEST_LIFE).contains(&seconds).then_some(seconds)
}

/// A text with `{field}` in it: what is before the field, the field, and what is after it.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (field, after) = rest.split_once('}')?;
    Some((before, field, after))
}

/// What a field's value has in the place of `{field}`: the label below the domain that follows, or the whole host.
fn host(value: &str, domain: &str) -> String {
    let address = Address::read(value);
    match domain.strip_prefix('.').and_then(|domain| address.label_below(domain)) {
        Some(label) => label.to_owned(),
        None => address.authority(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_read_as_number_or_text_and_not_believed_if_it_is_absurd() {
        for (json, expected) in [
            (r#"{"expires_in":1800}"#, Some(1800)),
            (r#"{"expires_in":"3600"}"#, Some(3600)),
            (r#"{"expires_in":3599.5}"#, Some(3599)),
            (r#"{"expires_in":0}"#, None),
            (r#"{"expires_in":-1}"#, None),
            (r#"{"expires_in":99999999999}"#, None),
            (r#"{"expires_in":"soon"}"#, None),
            (r#"{"expires_in":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(life(&Json::parse(json.as_bytes()).unwrap(), &["/expires_in"]), expected, "{json}");
        }
    }

    #[test]
    fn a_code_means_what_the_provider_documents_and_nothing_else_is_death() {
        let renewal = Renewal::refresh("https://a.example/token")
            .ended_by(&["BAD_REFRESH_TOKEN"])
            .client_refused_by(&["BAD_CLIENT_ID"])
            .ended_if("invalid_request", "requires an active refresh_token")
            .later_if("invalid_grant", "is already being processed");
        for (json, expected) in [
            (r#"{"error":"invalid_grant"}"#, Some(Meaning::Ended)),
            (
                r#"{"error":"invalid_grant","error_description":"token request is already being processed"}"#,
                Some(Meaning::Later),
            ),
            (r#"{"ok":false,"error":"invalid_grant"}"#, Some(Meaning::Ended)),
            (r#"{"status":"BAD_REFRESH_TOKEN","message":"missing"}"#, Some(Meaning::Ended)),
            (r#"{"status":"BAD_CLIENT_ID","error":"invalid_request"}"#, Some(Meaning::ClientRefused)),
            (r#"{"status":"BAD_CLIENT_ID","error":"invalid_grant"}"#, Some(Meaning::ClientRefused)),
            (r#"{"status":"BAD_REFRESH_TOKEN","error":"invalid_client"}"#, Some(Meaning::ClientRefused)),
            (
                r#"{"error":"invalid_request","error_description":"This request requires an active refresh_token."}"#,
                Some(Meaning::Ended),
            ),
            (r#"{"error":"invalid_request"}"#, None),
            (r#"{"error":"server_error"}"#, None),
            (r#"{"error":{"code":"invalid_client"}}"#, Some(Meaning::ClientRefused)),
            ("{}", None),
        ] {
            assert_eq!(renewal.meaning(&Json::parse(json.as_bytes()).unwrap()), expected, "{json}");
        }
    }

    #[test]
    fn scopes_are_parted_by_spaces_or_commas() {
        assert_eq!(scopes("read write"), ["read", "write"]);
        assert_eq!(scopes("read, write"), ["read", "write"]);
        assert_eq!(scopes(""), Vec::<String>::new());
        let named = |json: &str| named_scopes(&Json::parse(json.as_bytes()).unwrap());
        assert_eq!(named(r#"{"scope":["read","write"]}"#).unwrap(), ["read", "write"]);
        assert_eq!(named(r#"{"scope":"read"}"#).unwrap(), ["read"]);
        for none in ["{}", r#"{"scope":""}"#, r#"{"scope":null}"#] {
            assert_eq!(named(none), None, "{none}");
        }
    }

    #[test]
    fn a_page_has_its_code_after_the_words_that_a_provider_writes() {
        let page = "<html><title>400 - Oauth error application_cannot_be_found</title></html>";
        assert_eq!(code_after(page, "Oauth error "), Some("application_cannot_be_found"));
        for page in ["<title>Maintenance</title>", "Oauth error ", "Oauth error <b>"] {
            assert_eq!(code_after(page, "Oauth error "), None, "{page}");
        }
    }
}
