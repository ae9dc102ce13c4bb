//! Canary values that replace secrets, and the search for canaries in what a plugin let out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use keyferry_egress::each_reading;

/// A piece of a secret of this length is a leak. Shorter ones occur by chance, and a plugin may see a hint.
const WINDOW: usize = 8;

/// A value of the same shape: each letter and digit another one, drawn from `seed`, the rest and `keep` (what a hint
/// shows) as it is. A pattern that held before mostly holds still.
pub(super) fn substitute(value: &str, keep: Option<&str>, seed: u64) -> String {
    let kept = keep.filter(|keep| !keep.is_empty()).and_then(|keep| Some((value.find(keep)?, keep.len())));
    let mut state = seed | 1;
    let mut draw = |of: u32| {
        // xorshift64: enough to look unlike anything else.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from(state % u64::from(of)).unwrap_or_default()
    };
    value
        .char_indices()
        .map(|(at, c)| {
            let in_kept = kept.is_some_and(|(start, length)| (start..start + length).contains(&at));
            let (first, of) = match c {
                _ if in_kept => return c,
                // A number must not begin with 0.
                '0'..='9' => ('1', 9),
                // Half of the alphabet is hexadecimal too: stay inside where the value may be.
                'a'..='f' => ('a', 6),
                'g'..='z' => ('g', 20),
                'A'..='F' => ('A', 6),
                'G'..='Z' => ('G', 20),
                _ => return c,
            };
            char::from_u32(u32::from(first) + draw(of)).unwrap_or(c)
        })
        .collect()
}

/// A piece of `secret` that is in `text`, plainly or reversed, in hexadecimal or base64, also behind escapes as egress
/// undoes them. `keep` is the part that a hint shows.
pub(super) fn leak(secret: &str, keep: Option<&str>, text: &str) -> Option<String> {
    let hidden = keep.map_or_else(|| secret.to_owned(), |keep| secret.replacen(keep, "\0", 1));
    let plain = hidden.split('\0').map(str::to_owned);
    let reversed = hidden.split('\0').map(|piece| piece.chars().rev().collect());
    let hex = std::iter::once(hex::encode(secret));
    let base64 = (0..3).map(|skip| STANDARD_NO_PAD.encode(secret.as_bytes().get(skip..).unwrap_or_default()));
    let forms: Vec<String> = plain.chain(reversed).chain(hex).chain(base64).collect();
    let pieces: Vec<String> = forms
        .iter()
        .flat_map(|form| {
            let chars: Vec<char> = form.chars().collect();
            chars.windows(WINDOW).map(|window| window.iter().collect()).collect::<Vec<String>>()
        })
        .collect();
    let mut found = None;
    each_reading(text.as_bytes(), |reading| {
        let reading = String::from_utf8_lossy(reading);
        found = found.take().or_else(|| pieces.iter().find(|piece| reading.contains(*piece)).cloned());
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_substitute_has_the_shape_and_the_hint_and_nothing_else() {
        let value = "xoxb-0123-abcdefghijkl";
        let canary = substitute(value, Some("xoxb-"), 7);
        assert!(canary.starts_with("xoxb-"), "{canary}");
        assert_eq!(canary.len(), value.len());
        assert_eq!(canary.find("-abc"), None);
        assert_eq!(canary, substitute(value, Some("xoxb-"), 7), "the same each time");
        assert!(substitute("deadbeef00", None, 3).chars().all(|c| c.is_ascii_hexdigit()));
    }

    #[test]
    fn a_piece_of_a_secret_is_found_in_any_dress() {
        let secret = "pat-na1-Zq81LmX0cv73Trb2";
        for text in [
            "the key is Zq81LmX0cv7",
            "2brT37vc0XmL18qZ-1an",
            &hex::encode(secret),
            &STANDARD_NO_PAD.encode(secret),
            "\\u005aq81LmX0cv7",
            "Zq81%4CmX0cv7",
            "&#x5A;q81LmX0cv7",
            "=5Aq81LmX0=\r\ncv7",
            &STANDARD_NO_PAD.encode("{\"a\":\"\\u005aq81LmX0cv7\"}"),
        ] {
            assert!(leak(secret, Some("pat-na1-"), text).is_some(), "{text}");
        }
        for text in ["pat-na1- is the prefix", "***", "Zq81Lm"] {
            assert_eq!(leak(secret, Some("pat-na1-"), text), None, "{text}");
        }
    }
}
