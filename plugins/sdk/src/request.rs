use crate::bindings::keyferry::plugin::http::{self as wit, Auth, Body, JsonMember, JsonValue, Method, Pair};
use crate::{Error, Failure, OAuth1, Response, SigV4, Value, url};

/// A request, which Keyferry completes with secrets and sends.
///
/// ```no_run
/// # use keyferry_plugin::prelude::*;
/// # fn plugin(key: &Secret, user_id: &str) -> Result<(), Failure> {
/// let response = Request::get("https://api.example.com/v1/users")
///     .segment(user_id)
///     .query("fields", "id,name")
///     .header("X-Api-Key", key)
///     .send()?;
/// # Ok(())
/// # }
/// ```
///
/// A secret can be placed into the path, the query, a header, the body or a signature, and nowhere else.
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a>(wit::Request<'a>);

impl<'a> Request<'a> {
    /// GET of a URL. What of it comes from a caller, or is secret, goes in by [`segment`](Self::segment) and
    /// [`query`](Self::query), where it cannot break out of its place.
    pub fn get(url: impl AsRef<str>) -> Self {
        Self::new(Method::Get, url.as_ref())
    }

    /// HEAD of a URL.
    pub fn head(url: impl AsRef<str>) -> Self {
        Self::new(Method::Head, url.as_ref())
    }

    /// POST to a URL.
    pub fn post(url: impl AsRef<str>) -> Self {
        Self::new(Method::Post, url.as_ref())
    }

    /// PUT to a URL.
    pub fn put(url: impl AsRef<str>) -> Self {
        Self::new(Method::Put, url.as_ref())
    }

    /// PATCH of a URL.
    pub fn patch(url: impl AsRef<str>) -> Self {
        Self::new(Method::Patch, url.as_ref())
    }

    /// DELETE of a URL.
    pub fn delete(url: impl AsRef<str>) -> Self {
        Self::new(Method::Delete, url.as_ref())
    }

    fn new(method: Method, url: &str) -> Self {
        let pieces = url::split(url);
        let mut request = Self(wit::Request {
            method,
            origin: pieces.origin,
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            auth: None,
            body: Body::Empty,
            mint: Vec::new(),
        });
        for segment in pieces.segments {
            request = request.segment(segment);
        }
        for (name, value) in pieces.query {
            request = request.query(&name, value);
        }
        request
    }

    /// Adds a path in plain text: `/v1/users`.
    pub fn path(mut self, path: &str) -> Self {
        for segment in url::segments(path) {
            self = self.segment(segment);
        }
        self
    }

    /// Adds one segment to the path. A `/` in it stays inside.
    pub fn segment(mut self, value: impl Into<Value<'a>>) -> Self {
        self.0.path.push(value.into().into_parts());
        self
    }

    /// Adds a query parameter. A secret is better off in a header: URLs end up in other people's logs.
    pub fn query(mut self, name: &str, value: impl Into<Value<'a>>) -> Self {
        self.0.query.push(pair(name, value.into()));
        self
    }

    /// Adds a header with a text, a secret or a tuple of both.
    pub fn header(mut self, name: &str, value: impl Into<Value<'a>>) -> Self {
        self.0.headers.push(pair(name, value.into()));
        self
    }

    /// Sets `Authorization: Bearer <token>`.
    pub fn bearer(self, token: impl Into<Value<'a>>) -> Self {
        self.auth(Auth::Bearer(token.into().into_parts()))
    }

    /// `Authorization: Basic ...`. The user must not hold a colon.
    pub fn basic(self, user: impl Into<Value<'a>>, password: impl Into<Value<'a>>) -> Self {
        let (user, password) = (user.into().into_parts(), password.into().into_parts());
        self.auth(Auth::Basic(wit::Basic { user, password }))
    }

    /// Signs the request by OAuth 1.0a: method, URL, query parameters and form fields.
    pub fn oauth1(self, signature: OAuth1<'a>) -> Self {
        self.auth(Auth::Oauth1(signature.into_wit()))
    }

    /// Signs the request by AWS Signature Version 4.
    pub fn sigv4(self, signature: SigV4<'a>) -> Self {
        self.auth(Auth::Sigv4(signature.into_wit()))
    }

    fn auth(mut self, auth: Auth<'a>) -> Self {
        self.0.auth = Some(auth);
        self
    }

    /// Adds a field to the body, which becomes `application/x-www-form-urlencoded`.
    ///
    /// A request has one body: a form replaces what of another kind was there.
    pub fn form_field(mut self, name: &str, value: impl Into<Value<'a>>) -> Self {
        let pair = pair(name, value.into());
        match &mut self.0.body {
            Body::Form(fields) => fields.push(pair),
            body => *body = Body::Form(vec![pair]),
        }
        self
    }

    /// Adds a string to the body, which becomes `application/json`. A JSON pointer (RFC 6901) names its position:
    /// `/client_id`, `/auth/key`. Missing objects on the way are created.
    pub fn json_field(self, pointer: &str, value: impl Into<Value<'a>>) -> Self {
        self.json_member(pointer, JsonValue::Parts(value.into().into_parts()))
    }

    /// Adds any JSON text, such as `42` or `{"a":[1]}`, to the body, which becomes `application/json`.
    pub fn json_literal(self, pointer: &str, json: impl Into<String>) -> Self {
        self.json_member(pointer, JsonValue::Literal(json.into()))
    }

    fn json_member(mut self, pointer: &str, value: JsonValue<'a>) -> Self {
        let member = JsonMember { pointer: pointer.to_owned(), value };
        match &mut self.0.body {
            Body::Json(members) => members.push(member),
            body => *body = Body::Json(vec![member]),
        }
        self
    }

    /// Makes JSON text without secrets the body: `{"query":"{ viewer { id } }"}`.
    pub fn json_body(self, json: impl Into<String>) -> Self {
        self.text_body("application/json", json)
    }

    /// Makes any text without secrets the body.
    pub fn text_body(mut self, content_type: &str, content: impl Into<String>) -> Self {
        self.0.body = Body::Text(wit::TextBody { content_type: content_type.to_owned(), content: content.into() });
        self
    }

    /// Asks Keyferry to lift the string at a JSON pointer out of the response, for [`Response::minted`]. It lifts
    /// `access_token`, `refresh_token`, `id_token` and other members named like secrets unasked.
    pub fn mint(mut self, pointer: &str) -> Self {
        self.0.mint.push(pointer.to_owned());
        self
    }

    /// Sends the request and waits for the response.
    ///
    /// # Errors
    /// Failures of the provider or of the network, which say nothing about the credential: no response at all, a
    /// redirect, 429 and 5xx. Every other status is returned as an [`Response`].
    pub fn send(self) -> Result<Response, Failure> {
        let response = self.send_as_is()?;
        match response.trouble() {
            Some(failure) => Err(failure),
            None => Ok(response),
        }
    }

    /// Sends the request and returns a response with any status. [`Response::trouble`] then is the failure that
    /// [`send`](Self::send) would have returned.
    ///
    /// # Errors
    /// The reason why no response arrived. `?` turns it into a [`Failure`].
    pub fn send_as_is(self) -> Result<Response, Error> {
        let response = wit::send(&self.0)?;
        Ok(Response::from_wit(self.0.origin, response))
    }
}

fn pair<'a>(name: &str, value: Value<'a>) -> Pair<'a> {
    Pair { name: name.to_owned(), value: value.into_parts() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &[wit::Part<'_>]) -> String {
        value.iter().map(|part| if let wit::Part::Text(text) = part { text.as_str() } else { "?" }).collect()
    }

    #[test]
    fn a_url_and_what_is_added_to_it_keep_their_order() {
        let request =
            Request::get("https://api.example.com/v1/users?a=1").path("/x/y").segment("a/b").query("b", "2").0;
        assert_eq!(request.origin, "https://api.example.com");
        let segments: Vec<_> = request.path.iter().map(|segment| text(segment)).collect();
        assert_eq!(segments, ["v1", "users", "x", "y", "a/b"]);
        let query: Vec<_> = request.query.iter().map(|pair| (pair.name.as_str(), text(&pair.value))).collect();
        assert_eq!(query, [("a", "1".to_owned()), ("b", "2".to_owned())]);
    }

    #[test]
    fn the_last_kind_of_body_wins_and_fields_of_one_kind_add_up() {
        let request = Request::post("https://a.example").json_body("{}").form_field("a", "1").form_field("b", "2").0;
        assert!(matches!(request.body, Body::Form(fields) if fields.len() == 2));
        let request =
            Request::post("https://a.example").form_field("a", "1").json_field("/a", "1").json_literal("/b", "2").0;
        let Body::Json(members) = request.body else { panic!("not JSON") };
        assert!(matches!(members.as_slice(), [
            JsonMember { value: JsonValue::Parts(_), .. },
            JsonMember { value: JsonValue::Literal(two), .. },
        ] if two == "2"));
    }
}
