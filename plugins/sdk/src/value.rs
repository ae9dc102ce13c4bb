use crate::bindings::keyferry::plugin::http::Part;
use crate::{Jwt, Secret};

/// A value of a request, put together by Keyferry out of text and secrets.
///
/// Every function that takes `impl Into<Value>` takes text, a secret, or a tuple of both:
///
/// ```no_run
/// # use keyferry_plugin::prelude::*;
/// # fn plugin(token: &Secret, email: &str) {
/// let request = Request::get("https://api.example.com/me")
///     .header("Authorization", ("SSWS ", token))
///     .query("fields", "id,name");
///
/// let other = Request::get("https://api.example.com/me").basic((email, "/token"), token);
/// # }
/// ```
///
/// Each piece is encoded for its position, so no piece can end the value and begin another.
pub struct Value<'a>(Vec<Part<'a>>);

impl<'a> Value<'a> {
    /// Nothing, such as the password of an API key that is sent as a user name.
    pub fn empty() -> Self {
        Self(Vec::new())
    }

    /// The value with `more` after it.
    #[must_use]
    pub fn then(mut self, more: impl Into<Value<'a>>) -> Self {
        self.0.extend(more.into().0);
        self
    }

    pub(crate) fn into_parts(self) -> Vec<Part<'a>> {
        self.0
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self(vec![Part::Text(text)])
    }
}

impl From<&str> for Value<'_> {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for Value<'_> {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl<'a> From<&'a Secret> for Value<'a> {
    fn from(secret: &'a Secret) -> Self {
        Self(vec![Part::Secret(secret)])
    }
}

impl<'a> From<Jwt<'a>> for Value<'a> {
    fn from(jwt: Jwt<'a>) -> Self {
        Self(vec![Part::Jwt(jwt.into_wit())])
    }
}

impl<'a, A: Into<Value<'a>>, B: Into<Value<'a>>> From<(A, B)> for Value<'a> {
    fn from((a, b): (A, B)) -> Self {
        a.into().then(b)
    }
}

impl<'a, A: Into<Value<'a>>, B: Into<Value<'a>>, C: Into<Value<'a>>> From<(A, B, C)> for Value<'a> {
    fn from((a, b, c): (A, B, C)) -> Self {
        a.into().then(b).then(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(value: Value<'_>) -> Vec<String> {
        let text = |part| match part {
            Part::Text(text) => text,
            Part::Secret(_) | Part::Jwt(_) => "?".to_owned(),
        };
        value.into_parts().into_iter().map(text).collect()
    }

    #[test]
    fn a_tuple_keeps_its_pieces_in_order() {
        assert_eq!(texts(("a", String::from("b"), &String::from("c")).into()), ["a", "b", "c"]);
        assert_eq!(texts(Value::from(("me", "/token")).then("!")), ["me", "/token", "!"]);
        assert!(texts(Value::empty()).is_empty());
    }
}
