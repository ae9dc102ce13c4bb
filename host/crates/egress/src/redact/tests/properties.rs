//! For any secret, any encoder and any surroundings: exactly the echo is replaced.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::encoders::{ALL, Encoder, FIRST};
use super::{MASK, redactor};

/// Secrets of a length and kind for which case and blanks do not count, and which begin and end with what counts.
fn secrets() -> impl Strategy<Value = String> {
    "[A-Za-z0-9]{4}[A-Za-z0-9+/=_.~!*'()\"&<>@:;,$#%^|{}\\[\\]? é中\\\\`-]{8,40}[0-9][A-Za-z]"
}

fn encoder() -> impl Strategy<Value = &'static Encoder> {
    (0..ALL.len()).prop_map(|at| &ALL[at])
}

fn first() -> impl Strategy<Value = &'static Encoder> {
    (0..ALL.len() + FIRST.len()).prop_map(|at| ALL.iter().chain(FIRST).nth(at).unwrap())
}

fn wrapped(text: &str, width: usize, between: &str) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(between)
}

proptest! {
    #[test]
    fn exactly_the_echo_is_replaced(
        secret in secrets(), one in first(), two in encoder(), before in "[a-z ]{0,8}[(]", after in "[)][a-z ]{0,8}",
    ) {
        // In another case, an escape inside the secret itself changes or is no longer one.
        let one = if one.name.ends_with(" case") && secret.contains(['\\', '%', '&']) { &ALL[0] } else { one };
        let encode = |text: &str| (two.encode)(&(one.encode)(text));
        let echo = [encode(&before), encode(&secret), encode(&after)].concat();
        let expected = [encode(&before), MASK.to_owned(), encode(&after)].concat();
        prop_assert_eq!(redactor(&[&secret]).redact_text(&echo), expected, "{}, {}: {:?}", one.name, two.name, echo);
    }

    #[test]
    fn base64_of_it_is_replaced_however_it_is_wrapped(
        secret in secrets(), one in encoder(), width in 15..20_usize, indent in 0..8_usize,
    ) {
        let document = format!("{{\"key\":\"{}\"}}", (one.encode)(&secret));
        for text in [STANDARD.encode(&secret), STANDARD.encode(document)] {
            for between in ["\n".to_owned(), "\r\n".to_owned(), "\\n".to_owned(), "=\r\n".to_owned(), format!("\n{}", " ".repeat(indent))] {
                let echo = format!("[{}]", wrapped(&text, width * 4, &between));
                let clean = redactor(&[&secret]).redact_text(&echo).into_owned();
                prop_assert!(clean.contains(MASK), "{}: {echo:?}", one.name);
                prop_assert!(clean.len() <= "{\"key\":\"\"}".len() * 4 + 30, "{}: {echo:?} gave {clean:?}", one.name);
            }
        }
    }

    #[test]
    fn what_holds_no_secret_is_not_touched(secret in secrets(), text in any::<Vec<u8>>(), more in "\\PC{0,200}") {
        let redactor = redactor(&[&secret, "other-5ecret-0123456789", "sandbox"]);
        prop_assert_eq!(&*redactor.redact(&text), text.as_slice());
        prop_assert_eq!(&*redactor.redact_text(&more), more.as_str());
    }

    #[test]
    fn any_bytes_are_searched_to_their_end(text in r"[\\%&=u0-9a-fA-F#;x{}nl' ö+/\r\n\x00-]{0,300}", secret in "[\\\\%&=a0#;x+/]{4,40}") {
        let redactor = redactor(&[&secret]);
        let echo = format!("{text}[{secret}]{text}");
        let clean = redactor.redact(echo.as_bytes());
        prop_assert!(clean.windows(3).any(|part| part == b"***"), "{echo:?}");
        prop_assert!(memchr::memmem::find(&clean, secret.as_bytes()).is_none(), "{echo:?}");
    }
}
