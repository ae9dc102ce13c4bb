//! Which members of a response hold a token: by their names, and by what their values look like.

/// Ends of the names of secrets, in lower case and without what is no letter.
const SECRET: [&str; 23] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apisecret",
    "apitoken",
    "appsecret",
    "assertion",
    "authtoken",
    "bearertoken",
    "bottoken",
    "clientsecret",
    "consumersecret",
    "idtoken",
    "jwt",
    "oauthtoken",
    "privatekey",
    "refreshtoken",
    "secretaccesskey",
    "secretkey",
    "sessiontoken",
    "signingsecret",
    "tokensecret",
    "usertoken",
];

/// The meaning of a member's name for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A token, key or password.
    Secret,
    /// That too, or the field that an error is about (`"password": "required"`).
    SecretOrField,
    /// The name says nothing about secrecy.
    Else,
}

impl Meaning {
    /// `access_token`, `accessToken`, `Access-Token` and `x_access_token` mean the same.
    pub(super) fn of(name: &str) -> Self {
        if name.is_ascii() && !may_be_of_a_secret(name) {
            return Self::Else;
        }
        // No name of a token is this long, and names are read again for each string of an array.
        let mut letters = [0; 128];
        if name.len() > letters.len() {
            return Self::Else;
        }
        if !name.is_ascii() {
            let letters: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            return Self::of_letters(letters.as_bytes());
        }
        let mut length = 0;
        for (slot, byte) in letters.iter_mut().zip(name.bytes().filter(u8::is_ascii_alphanumeric)) {
            *slot = byte.to_ascii_lowercase();
            length += 1;
        }
        Self::of_letters(letters.get(..length).unwrap_or_default())
    }

    fn of_letters(name: &[u8]) -> Self {
        let ends_in = |end: &&str| name.ends_with(end.as_bytes());
        // How each of them ends.
        if !["assertion", "jwt", "key", "passphrase", "passwd", "password", "secret", "token"].iter().any(ends_in) {
            Self::Else
        } else if SECRET.iter().any(ends_in) {
            Self::Secret
        } else if name == b"token" || ["secret", "password", "passwd", "passphrase"].iter().any(ends_in) {
            Self::SecretOrField
        } else {
            Self::Else
        }
    }
}

/// Whether a name in ASCII has the last two letters of some name of a secret: most have not.
fn may_be_of_a_secret(name: &str) -> bool {
    let mut letters = name.bytes().rev().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    let (last, before) = (letters.next(), letters.next());
    // assertion, token; jwt, secret; key; passphrase; passwd, password.
    let ends = [b"on", b"en", b"wt", b"et", b"ey", b"se", b"wd", b"rd"];
    ends.iter().any(|[first, second]| last == Some(*second) && before == Some(*first))
}

/// Whether a value under a name of this meaning is a token. Sentences never are (`"access_token": "is missing"`), nor
/// is a plain word where the name may be that of a field.
pub(super) fn is_token(meaning: Meaning, value: &str) -> bool {
    let is_pem = value.contains("-----BEGIN ");
    let is_sentence = value.contains(char::is_whitespace) && !is_pem;
    match meaning {
        Meaning::Secret => !is_sentence,
        Meaning::SecretOrField => {
            let in_a_word = |b: u8| b.is_ascii_lowercase() || matches!(b, b'_' | b'-' | b'.');
            let is_word = value.len() < 20 && value.bytes().all(in_a_word);
            !(is_sentence || is_word)
        }
        Meaning::Else => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_of_a_secret_ends_in_letters_that_are_looked_for() {
        for name in SECRET.iter().chain(&["token", "secret", "password", "passwd", "passphrase"]) {
            assert!(may_be_of_a_secret(name), "{name}");
            assert_ne!(Meaning::of(&format!("{}_", name.to_uppercase())), Meaning::Else, "{name}");
        }
        assert!(!may_be_of_a_secret("display_name"));
    }
}
