use crate::Failure;

/// A JSON value, looked into by JSON pointers (RFC 6901).
///
/// ```
/// # use keyferry_plugin::prelude::*;
/// let me = Json::parse(br#"{"id": 62515, "team": {"name": "Acme"}, "scopes": ["read", "write"]}"#).unwrap();
/// assert_eq!(me.optional_text("/id"), Some("62515"));
/// assert_eq!(me.optional_text("/team/name"), Some("Acme"));
/// assert_eq!(me.texts("/scopes"), ["read", "write"]);
/// assert!(!me.is_true("/admin"));
/// ```
///
/// [`Response::json`](crate::Response::json) reads it from a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// The value `null`.
    Null,
    /// JSON `true` or `false`.
    Boolean(bool),
    /// A number, as it was written: ids keep all of their digits.
    Number(String),
    /// A string, with its escapes decoded.
    Text(String),
    /// The elements of an array, in order.
    List(Vec<Json>),
    /// An object's members, in order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// What stands at a pointer: `/team/name`, `/errors/0`. `""` is the value itself.
    pub fn at(&self, pointer: &str) -> Option<&Json> {
        let Some(pointer) = pointer.strip_prefix('/') else { return pointer.is_empty().then_some(self) };
        pointer.split('/').try_fold(self, |value, token| match value {
            // Of members with the same name the last counts, as in JavaScript.
            Self::Object(members) => {
                members.iter().rev().find(|(name, _)| is_named(name, token)).map(|(_, value)| value)
            }
            Self::List(items) => items.get(usize::try_from(token.parse::<u64>().ok()?).ok()?),
            _ => None,
        })
    }

    /// The string or number at a pointer.
    ///
    /// # Errors
    /// [`Failure::unexpected`], if nothing or another type is there.
    pub fn text(&self, pointer: &str) -> Result<&str, Failure> {
        self.optional_text(pointer).ok_or_else(|| Failure::unexpected(format!("the answer holds no text at {pointer}")))
    }

    /// The string or number at a pointer, if there is one.
    pub fn optional_text(&self, pointer: &str) -> Option<&str> {
        match self.at(pointer)? {
            Self::Text(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The first of several pointers at which there is a string or a number: providers word their errors in more than one
    /// way.
    pub fn first_text(&self, pointers: &[&str]) -> Option<&str> {
        pointers.iter().find_map(|pointer| self.optional_text(pointer))
    }

    /// What the provider said of a failure, for people: `Acme says expired_token: The token has expired`.
    ///
    /// `code` and `words` are pointers to where it may stand, the first that has something counts; either may be empty.
    ///
    /// ```
    /// # use keyferry_plugin::prelude::*;
    /// let problem = Json::parse(br#"{"error":{"code":"expired","message":"Too old"}}"#).unwrap();
    /// assert_eq!(problem.said("Acme", &["/error/code"], &["/error/message", "/message"]), "Acme says expired: Too old");
    /// assert_eq!(problem.said("Acme", &[], &["/message"]), "Acme gives no reason");
    /// ```
    pub fn said(&self, who: &str, code: &[&str], words: &[&str]) -> String {
        // Put together by hand: `format!` four times is more code than all the rest of many a plugin.
        let pieces = match (self.first_text(code), self.first_text(words)) {
            (Some(code), Some(words)) => [" says ", code, ": ", words],
            (Some(code), None) => [" says ", code, "", ""],
            (None, Some(words)) => [" says: ", words, "", ""],
            (None, None) => [" gives no reason", "", "", ""],
        };
        let mut said = who.to_owned();
        pieces.into_iter().for_each(|piece| said.push_str(piece));
        said
    }

    /// The strings and numbers of the array at a pointer. Nothing, if there is no array.
    pub fn texts(&self, pointer: &str) -> Vec<&str> {
        self.items(pointer).iter().filter_map(|item| item.optional_text("")).collect()
    }

    /// The elements of the array at a pointer. Nothing, if there is no array.
    pub fn items(&self, pointer: &str) -> &[Json] {
        match self.at(pointer) {
            Some(Self::List(items)) => items,
            _ => &[],
        }
    }

    /// Whether `true` stands at a pointer.
    pub fn is_true(&self, pointer: &str) -> bool {
        matches!(self.at(pointer), Some(Self::Boolean(true)))
    }
}

/// `~1` stands for `/` and `~0` for `~` in a pointer.
fn is_named(name: &str, token: &str) -> bool {
    if !token.contains('~') {
        return name == token;
    }
    let mut name = name.chars();
    let mut token = token.chars();
    while let Some(char) = token.next() {
        let meant = match char {
            '~' => match token.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return false,
            },
            char => char,
        };
        if name.next() != Some(meant) {
            return false;
        }
    }
    name.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn pointers_find_what_rfc_6901_says() {
        let value = json(r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"m~n":8,"o":{"p":{"q":9}}}"#);
        let cases = [
            ("/foo/0", Some("bar")),
            ("/foo/2", None),
            ("/foo/-1", None),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/a/b", None),
            ("/c%d", Some("2")),
            ("/m~0n", Some("8")),
            ("/m~n", None),
            ("/o/p/q", Some("9")),
            ("/o/p", None),
            ("o", None),
        ];
        for (pointer, expected) in cases {
            assert_eq!(value.optional_text(pointer), expected, "{pointer}");
        }
        assert_eq!(value.at(""), Some(&value));
    }

    #[test]
    fn what_is_of_another_kind_is_not_there() {
        let value = json(r#"{"a":true,"b":null,"c":["x",1,null,{}],"d":"true"}"#);
        assert!(value.is_true("/a") && !value.is_true("/d") && !value.is_true("/z"));
        assert_eq!(value.texts("/c"), ["x", "1"]);
        assert_eq!(value.items("/c").len(), 4);
        assert!(value.items("/a").is_empty());
        assert!(value.text("/b").is_err());
    }

    #[test]
    fn the_last_of_members_with_the_same_name_counts() {
        assert_eq!(json(r#"{"ok":false,"ok":true}"#).at("/ok"), Some(&Json::Boolean(true)));
    }
}
