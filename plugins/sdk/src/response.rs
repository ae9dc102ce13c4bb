use crate::bindings::keyferry::plugin::http as wit;
use crate::{Failure, Json, Secret, clock, time};

/// The provider's response. The values of secrets have been replaced by `***`.
pub struct Response {
    origin: String,
    response: wit::Response,
}

impl Response {
    pub(crate) fn from_wit(origin: String, response: wit::Response) -> Self {
        Self { origin, response }
    }

    /// The HTTP status code.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// The first header of this name; upper and lower case are the same.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.response.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// A header that lists names with commas between them, such as scopes: `repo, read:org`.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.header(name).unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty())
    }

    /// A header that holds a time, as HTTP writes it or like `2027-01-31 23:59:59 UTC`; in milliseconds since
    /// 1970-01-01T00:00:00Z.
    pub fn time(&self, name: &str) -> Option<u64> {
        Some(time::parse_http_date(self.header(name)?)? * 1000)
    }

    /// The body, after decompression.
    pub fn body(&self) -> &[u8] {
        &self.response.body
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Failure::unexpected`] with the status, the content type and the position of the error. Nothing of the body is in it.
    pub fn json(&self) -> Result<Json, Failure> {
        let broken = |at| Failure::unexpected(format!("{}, which is not JSON (byte {at})", self.summary()));
        Json::parse(self.body()).map_err(broken)
    }

    /// The body as JSON, or [`Json::Null`]: for a response whose status already says enough.
    pub fn json_or_null(&self) -> Json {
        Json::parse(self.body()).unwrap_or(Json::Null)
    }

    /// A token that Keyferry took out of the response, ready for the next request. `pointer` is the JSON pointer at which
    /// it stood: `/access_token`.
    ///
    /// # Errors
    /// [`Failure::unexpected`], if the response has no string there.
    pub fn minted(&self, pointer: &str) -> Result<&Secret, Failure> {
        let found = self.response.minted.iter().find(|minted| minted.pointer == pointer);
        found
            .map(|minted| &minted.token)
            .ok_or_else(|| Failure::unexpected(format!("{} without a token at {pointer}", self.summary())))
    }

    /// As [`minted`](Self::minted), to be returned as a renewed token.
    ///
    /// # Errors
    /// As of [`minted`](Self::minted).
    pub fn take_minted(&mut self, pointer: &str) -> Result<Secret, Failure> {
        let found = self.response.minted.iter().position(|minted| minted.pointer == pointer);
        match found {
            Some(index) => Ok(self.response.minted.swap_remove(index).token),
            None => Err(Failure::unexpected(format!("{} without a token at {pointer}", self.summary()))),
        }
    }

    /// The number of seconds to wait that `Retry-After` asks for, as a number or as a date. Parts of a second are a whole one,
    /// and more than a day is a day.
    pub fn retry_after(&self) -> Option<u32> {
        let text = self.header("retry-after")?.trim();
        let seconds = match seconds(text) {
            Some(seconds) => seconds,
            None => time::parse_http_date(text)?.saturating_sub(clock::now_ms() / 1000),
        };
        u32::try_from(seconds.min(LONGEST_WAIT)).ok()
    }

    /// The failure that a status means on the provider's side: 429 is `rate-limited`, 5xx `provider-error`, and a
    /// redirect an unexpected answer.
    pub fn trouble(&self) -> Option<Failure> {
        match self.status() {
            429 => Some(Failure::rate_limited(self.retry_after(), self.summary())),
            status @ 500.. => Some(Failure::provider_error(status, self.summary())),
            300..400 => Some(Failure::unexpected(format!("{}, a redirect{}", self.summary(), self.redirect_target()))),
            _ => None,
        }
    }

    /// The failure for a status or a content that the plugin has no case for.
    pub fn unexpected(&self) -> Failure {
        Failure::unexpected(format!("{}, which this plugin does not understand", self.summary()))
    }

    /// `https://api.example.com answered 200 (text/html)`.
    fn summary(&self) -> String {
        let Self { origin, response } = self;
        match self.header("content-type").and_then(|value| value.split(';').next()) {
            Some(content_type) => format!("{origin} answered {} ({content_type})", response.status),
            None => format!("{origin} answered {}", response.status),
        }
    }

    /// The target of a redirect, without the query, which may contain secrets of a browser's session.
    fn redirect_target(&self) -> String {
        match self.header("location").and_then(|url| url.split(['?', '#']).next()) {
            Some(url) => format!(" to {url}"),
            None => String::new(),
        }
    }
}

/// Seconds in a day.
const LONGEST_WAIT: u64 = 24 * 60 * 60;

/// A number of seconds, rounded up. RFC 9110 has whole ones; Shopify and others write `2.0`, and proxies that join headers
/// `2, 2`.
fn seconds(text: &str) -> Option<u64> {
    let text = text.split(',').next().unwrap_or_default().trim().trim_matches('"');
    let text = text.strip_suffix('s').unwrap_or(text).trim_end();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let part = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    // What is not read has too many digits.
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().unwrap_or(LONGEST_WAIT) };
    Some(whole.min(LONGEST_WAIT) + part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::exports::keyferry::plugin::app::FailureKind;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let response = wit::Response { status, headers, body: body.as_bytes().to_vec(), minted: Vec::new() };
        Response::from_wit("https://api.example.com".to_owned(), response)
    }

    #[test]
    fn trouble_of_the_provider_is_no_verdict_on_the_credential() {
        let kind =
            |status| response(status, &[("retry-after", "7")], "").trouble().map(|failure| failure.into_wit().kind);
        assert!(matches!(kind(429), Some(FailureKind::RateLimited(Some(7)))));
        assert!(matches!(kind(500), Some(FailureKind::ProviderError(500))));
        assert!(matches!(kind(503), Some(FailureKind::ProviderError(503))));
        assert!(matches!(kind(302), Some(FailureKind::UnexpectedAnswer)));
        for status in [200, 204, 400, 401, 403, 404, 422] {
            assert!(kind(status).is_none(), "{status}");
        }
    }

    #[test]
    fn a_redirect_names_its_target_without_the_query() {
        let redirect = response(302, &[("location", "https://login.example.com/sso?state=abc")], "");
        let detail = redirect.trouble().unwrap().into_wit().detail;
        assert_eq!(detail, "https://api.example.com answered 302, a redirect to https://login.example.com/sso");
    }

    #[test]
    fn what_is_wrong_with_json_is_told_without_the_body() {
        let html = response(200, &[("content-type", "text/html; charset=utf-8")], "<html>private</html>");
        let failure = html.json().unwrap_err().into_wit();
        assert!(matches!(failure.kind, FailureKind::UnexpectedAnswer));
        assert_eq!(failure.detail, "https://api.example.com answered 200 (text/html), which is not JSON (byte 0)");
        assert_eq!(html.json_or_null(), Json::Null);
    }

    #[test]
    fn retry_after_is_read_as_seconds_rounded_up_or_not_at_all() {
        for (text, seconds) in [
            ("120", Some(120)),
            (" 1 ", Some(1)),
            ("\t007\t", Some(7)),
            ("0", Some(0)),
            ("2.0", Some(2)),
            ("2.", Some(2)),
            ("0.5", Some(1)),
            (".5", Some(1)),
            ("0.0001", Some(1)),
            ("0.0", Some(0)),
            ("59.999", Some(60)),
            ("2, 2", Some(2)),
            ("2.5,2.5", Some(3)),
            ("\"30\"", Some(30)),
            ("30s", Some(30)),
            ("30 s", Some(30)),
            ("86399.5", Some(86_400)),
            ("86401", Some(86_400)),
            ("5000000000", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("", None),
            (".", None),
            ("-1", None),
            ("+1", None),
            ("1.2.3", None),
            ("1e3", None),
            ("0x10", None),
            ("later", None),
            ("NaN", None),
        ] {
            assert_eq!(response(429, &[("Retry-After", text)], "").retry_after(), seconds, "{text}");
        }
    }

    #[test]
    fn a_token_that_was_not_minted_is_an_unexpected_answer() {
        let failure = response(200, &[], "{}").minted("/access_token").map(|_| ()).unwrap_err().into_wit();
        assert!(failure.detail.ends_with("without a token at /access_token"), "{}", failure.detail);
    }
}
