//! A request as a plugin describes it (the record `request` of `wit/v1`), and its response.

use std::borrow::Cow;
use std::fmt;

use keyferry_types::secret::SharedSecret;

use super::grant::Method;

/// A piece of a value that is assembled here. A value is a list of them.
#[derive(Debug, Clone)]
pub enum Part {
    /// Plain text, encoded for its position in the request.
    Text(String),
    /// The value of a secret, encoded in the same way.
    Secret(SharedSecret),
    /// A JSON Web Token that is signed here.
    Jwt(Jwt),
}

/// The text of a value without secrets; `None` if it has one, since a plugin must not learn anything about that.
pub(super) fn literal(parts: &[Part]) -> Option<Cow<'_, str>> {
    fn text(part: &Part) -> Option<&str> {
        match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Secret(_) | Part::Jwt(_) => None,
        }
    }
    match parts {
        [part] => text(part).map(Cow::Borrowed),
        _ => parts.iter().map(text).collect::<Option<String>>().map(Cow::Owned),
    }
}

/// A JSON Web Token to sign (RFC 7519).
#[derive(Debug, Clone)]
pub struct Jwt {
    /// Algorithm of the signature, as in the token's header.
    pub algorithm: JwtAlgorithm,
    /// A private key in PEM: PKCS#8 or PKCS#1 for RS256, PKCS#8 for ES256.
    pub key: SharedSecret,
    /// Extra header members as a JSON object. `alg` and `typ` are not for the caller to set.
    pub header: Option<String>,
    /// The claims as a JSON object.
    pub claims: String,
}

/// The algorithms with which tokens can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, `RS256`.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl JwtAlgorithm {
    /// The value of `alg` (RFC 7518).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// The scheme of the `Authorization` header.
#[derive(Debug, Clone)]
pub enum Auth {
    /// The header `Bearer <value>`.
    Bearer(Vec<Part>),
    /// The header `Basic base64(user:password)`.
    Basic {
        /// Before the colon; it must not contain one.
        user: Vec<Part>,
        /// The part after the colon.
        password: Vec<Part>,
    },
    /// OAuth 1.0a (RFC 5849) with HMAC-SHA256.
    OAuth1(OAuth1),
    /// AWS Signature Version 4.
    SigV4(SigV4),
}

/// The parameters of an OAuth 1.0a signature.
#[derive(Debug, Clone)]
pub struct OAuth1 {
    /// Parameter `realm`, sent in the header and not signed.
    pub realm: Option<String>,
    /// The parameter `oauth_consumer_key`.
    pub consumer_key: Vec<Part>,
    /// First half of the signing key, never sent.
    pub consumer_secret: Vec<Part>,
    /// `oauth_token`; left out where it is empty.
    pub token: Vec<Part>,
    /// Second half of the signing key, never sent.
    pub token_secret: Vec<Part>,
}

/// The parameters of an AWS Signature Version 4.
#[derive(Debug, Clone)]
pub struct SigV4 {
    /// The access key id, sent in the header.
    pub access_key_id: Vec<Part>,
    /// The secret access key, never sent.
    pub secret_access_key: Vec<Part>,
    /// Sent as `X-Amz-Security-Token` and signed.
    pub session_token: Option<Vec<Part>>,
    /// AWS region, for example `us-east-1`.
    pub region: String,
    /// AWS service, for example `sts`.
    pub service: String,
}

/// A name and the value that belongs to it.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Name of the pair, plain text.
    pub name: String,
    /// The pieces of the value, in order.
    pub value: Vec<Part>,
}

/// The body of a request.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing, and no `Content-Type`.
    Empty,
    /// Text that contains no secrets.
    Text {
        /// The value of `Content-Type`.
        content_type: String,
        /// The body's text.
        content: String,
    },
    /// Pairs of an `application/x-www-form-urlencoded` body.
    Form(Vec<Pair>),
    /// `application/json`: an object put together member by member.
    Json(Vec<JsonMember>),
}

/// One member of a JSON body.
#[derive(Debug, Clone)]
pub struct JsonMember {
    /// Position in the body, as a JSON pointer (RFC 6901). Missing objects on the way are created.
    pub pointer: String,
    /// Value of the member.
    pub value: JsonValue,
}

/// The value of one member of a JSON body.
#[derive(Debug, Clone)]
pub enum JsonValue {
    /// Any JSON text, inserted unchanged.
    Literal(String),
    /// A JSON string put together of parts.
    Parts(Vec<Part>),
}

/// A request of a plugin, before secrets are inserted.
#[derive(Debug, Clone)]
pub struct Request {
    /// HTTP method of the request.
    pub method: Method,
    /// Scheme, host and, if it is not the scheme's own, port: `https://api.example.com`.
    pub origin: String,
    /// The path's segments, each percent-encoded as a whole.
    pub path: Vec<Vec<Part>>,
    /// Query parameters, in order.
    pub query: Vec<Pair>,
    /// Headers of the request, in order.
    pub headers: Vec<Pair>,
    /// The `Authorization` header, where one of the known schemes applies.
    pub auth: Option<Auth>,
    /// Body of the request.
    pub body: Body,
    /// JSON pointers of strings in a JSON response to turn into secrets, besides those with the name of a token.
    pub mint: Vec<String>,
}

/// A token that was moved out of a response.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The JSON pointer of the token in the response.
    pub pointer: String,
    /// The token, as a new secret.
    pub token: SharedSecret,
}

/// A provider's response, every known secret in headers and body replaced by `***`.
#[derive(Clone)]
pub struct Response {
    /// The HTTP status. Redirects are not followed.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body after decompression.
    pub body: Vec<u8>,
    /// Tokens moved out of the body, in the order of the body.
    pub minted: Vec<Minted>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies may hold personal data of a provider's users: the log gets sizes only.
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .field("minted", &self.minted)
            .finish()
    }
}
