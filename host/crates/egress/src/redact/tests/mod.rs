//! Secrets are found in any form, and no other text is.

mod encoders;
mod libraries;
mod properties;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

fn redactor(values: &[&str]) -> Redactor {
    let mut redactor = Redactor::default();
    for value in values {
        redactor.add(&SharedSecret::new(Secret::new(*value)));
    }
    redactor
}

#[test]
fn a_secret_goes_in_every_spelling() {
    let secret = "p@ss w/örd\"+1%&'<x>";
    let redactor = redactor(&[secret]);
    for (echo, clean) in [
        ("p@ss w/örd\"+1%&'<x>", "***"),
        ("p%40ss%20w%2F%C3%B6rd%22%2B1%25%26%27%3Cx%3E", "***"),
        ("p%40ss%20w%2f%c3%b6rd%22%2b1%25%26%27%3cx%3e", "***"),
        ("p%40ss+w%2F%C3%B6rd%22%2B1%25%26%27%3Cx%3E", "***"),
        ("p%40ss+w%2f%c3%b6rd%22%2b1%25%26%27%3cx%3e", "***"),
        ("p%40ss%20w%2F%C3%B6rd%22%2B1%25%26'%3Cx%3E", "***"),
        ("/p@ss%20w%2F%C3%B6rd%22+1%25&'%3Cx%3E/me", "/***/me"),
        (r#"{"a":"p@ss w/örd\"+1%&'<x>"}"#, r#"{"a":"***"}"#),
        (r#"{"a":"p@ss w\/örd\"+1%&'<x>"}"#, r#"{"a":"***"}"#),
        (r#"{"a":"p@ss w/\u00f6rd\"+1%&'<x>"}"#, r#"{"a":"***"}"#),
        (r#"{"a":"p@ss w/\u00F6rd\"+1%&'<x>"}"#, r#"{"a":"***"}"#),
        (r#"{"a":"p@ss w/örd\"+1%\u0026'\u003cx\u003e"}"#, r#"{"a":"***"}"#),
        (r#"{"a":"p@ss w/\u00F6rd\u0022\u002B1%\u0026\u0027\u003Cx\u003E"}"#, r#"{"a":"***"}"#),
        ("<b>p@ss w/örd&#34;+1%&amp;&#39;&lt;x&gt;</b>", "<b>***</b>"),
        ("<b>p@ss w/örd&quot;+1%&amp;&#39;&lt;x&gt;</b>", "<b>***</b>"),
    ] {
        assert_eq!(redactor.redact_text(echo), clean, "{echo}");
    }
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        assert_eq!(redactor.redact_text(&format!("[{}]", engine.encode(secret))), "[***]");
    }
    for echo in [hex::encode(secret), hex::encode_upper(secret), secret.chars().rev().collect(), secret.to_lowercase()]
    {
        assert_eq!(redactor.redact_text(&format!("[{echo}]")), "[***]");
    }
}

#[test]
fn text_without_a_secret_stays_as_it_is() {
    let redactor = redactor(&["s3cr3t-value"]);
    for text in ["", "nothing", "s3cr3t", "S3CR3T_VALUE", "s3cr3t-valu"] {
        assert_eq!(redactor.redact_text(text), text);
    }
}

#[test]
fn bytes_that_are_no_text_are_searched_too() {
    assert_eq!(*redactor(&["s3cr3t"]).redact(b"\xff\x00s3cr3t\xfe"), *b"\xff\x00***\xfe");
}

#[test]
fn overlapping_secrets_leave_no_tail() {
    let redactor = redactor(&["abcdef", "defghi", "aaaa"]);
    assert_eq!(redactor.redact_text("[abcdefghi]"), "[***]");
    assert_eq!(redactor.redact_text("[aaaaaa]"), "[***]");
    assert_eq!(redactor.redact_text("[abcdef-defghi]"), "[***-***]");
}

#[test]
fn a_very_short_secret_goes_only_where_it_is_a_whole_string() {
    let redactor = redactor(&["no"]);
    assert_eq!(
        redactor.redact_text(r#"{"no":1,"a":"no","b":"none","c":"not no"}"#),
        r#"{"***":1,"a":"***","b":"none","c":"not no"}"#
    );
    assert_eq!(redactor.redact_text("no"), "***");
    assert_eq!(redactor.redact_text("no such thing"), "no such thing");
}

#[test]
fn an_empty_secret_hides_nothing() {
    assert_eq!(redactor(&[""]).redact_text("abc"), "abc");
}

#[test]
fn the_beginning_of_a_long_text_shows_no_half_of_a_secret() {
    let secret = "S3cret-0123456789-abcdefghijklmnopqrstuvwxyz";
    let redactor = redactor(&[secret]);
    let escaped: String = secret.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    for echo in [secret, &escaped] {
        for before in 0..120 {
            let text = format!("{}{echo}{}", ".".repeat(before), "é ".repeat(1 << 17));
            let shown = redactor.redact_beginning(&text, 100);
            let expected = if before < 100 { format!("{}***", ".".repeat(before)) } else { ".".repeat(100) };
            assert!(shown.starts_with(&expected) && shown.len() <= 103, "{before}: {shown}");
        }
    }
    assert_eq!(redactor.redact_beginning(&format!("a {secret} b"), 3), "a *** b");
}

#[test]
fn a_mask_never_joins_two_strings_of_a_document() {
    let redactor = redactor(&["client-7:S3cret/0123456789"]);
    let document = r#"{"client-7": "S3cret/0123456789", "a": ["client-7", ":S3cret/0123456789"]}"#;
    assert_eq!(redactor.redact_text(document), document);
    assert_eq!(redactor.redact_text(r#"{"a":"client-7: s3cret\/0123456789"}"#), r#"{"a":"***"}"#);
}

#[test]
fn spaces_around_a_secret_may_be_lost_on_the_way() {
    assert_eq!(redactor(&[" s3cr3t\n"]).redact_text("[s3cr3t]"), "[***]");
}
