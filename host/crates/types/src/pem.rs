//! Keys in PEM (RFC 7468), in every spelling in which they arrive.
//!
//! JSON files, environment variables, spreadsheets and chats remove or escape the line breaks of a key and add quotes,
//! indentation and invisible characters. None of these can be part of a key, so they are ignored: [`tidy`] writes the key in its
//! usual form, and [`private_key`] decodes it or returns what the text is instead.

use base64::Engine as _;
use base64::engine::general_purpose;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use zeroize::Zeroizing;

mod blocks;
mod chars;
mod escape;
mod problem;

use blocks::{Block, blocks};
use chars::{LINE, is_blank, is_line_break, is_quote};
use escape::unescaped;
pub use problem::KeyProblem;
use problem::without_block;

/// Writes the PEM blocks of a text as they were made: lines of 64 characters, and nothing around them. A line break at the end
/// stays where there was one. `None` where there is no block, or one of them is not whole.
///
/// ```
/// use keyferry_types::pem::tidy;
/// let pasted = r#""-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n","#;
/// assert_eq!(tidy(pasted).unwrap().as_str(), "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n");
/// assert!(tidy("hello").is_none());
/// ```
pub fn tidy(text: &str) -> Option<Zeroizing<String>> {
    if is_json(text) {
        return None;
    }
    let plain = unescaped(text);
    let (blocks, rest) = blocks(&plain).ok()?;
    if blocks.is_empty() {
        return None;
    }
    // Of the right size at once: a growing string leaves copies behind.
    let length = blocks.iter().map(|block| block.der.len() * 3 / 2 + 2 * block.label.len() + 64).sum();
    let mut out = Zeroizing::new(String::with_capacity(length));
    for (place, block) in blocks.iter().enumerate() {
        if place > 0 {
            out.push('\n');
        }
        for word in ["BEGIN", "END"] {
            out.push_str("-----");
            out.push_str(word);
            out.push(' ');
            out.push_str(&block.label);
            out.push_str("-----");
            if word == "BEGIN" {
                out.push('\n');
                let base64 = Zeroizing::new(general_purpose::STANDARD.encode(block.der.as_slice()));
                for line in base64.as_bytes().chunks(LINE) {
                    out.push_str(std::str::from_utf8(line).ok()?);
                    out.push('\n');
                }
            }
        }
    }
    if rest.chars().any(is_line_break) {
        out.push('\n');
    }
    Some(out)
}

/// The first private key of a text.
///
/// # Errors
/// If it has none that can be read: what it is instead.
pub fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, KeyProblem> {
    if is_json(text) {
        return Err(KeyProblem::Json);
    }
    let plain = unescaped(text);
    let (blocks, _) = blocks(&plain)?;
    let mut instead = None;
    for Block { label, mut der } in blocks {
        let der = std::mem::take(&mut *der);
        match label.as_str() {
            "PRIVATE KEY" => return Ok(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der))),
            "RSA PRIVATE KEY" => return Ok(PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der))),
            "EC PRIVATE KEY" => return Ok(PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der))),
            "ENCRYPTED PRIVATE KEY" => return Err(KeyProblem::Encrypted),
            "OPENSSH PRIVATE KEY" => return Err(KeyProblem::OpenSsh),
            "EC PARAMETERS" => {}
            label if label.ends_with("PUBLIC KEY") => instead = Some(KeyProblem::PublicKey),
            label if label.ends_with("CERTIFICATE") => instead = Some(KeyProblem::Certificate),
            _ => instead = Some(KeyProblem::NotPem),
        }
        let _wiped = Zeroizing::new(der);
    }
    Err(instead.unwrap_or_else(|| without_block(&plain)))
}

fn is_json(text: &str) -> bool {
    text.trim_start_matches(|c: char| is_blank(c) || is_quote(c)).starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PKCS8: &str = include_str!("../../egress/src/testdata/rsa-pkcs8.pem");
    const PKCS1: &str = include_str!("../../egress/src/testdata/rsa-pkcs1.pem");

    /// The spellings of a key that are all the same key.
    fn spellings(key: &str) -> Vec<String> {
        let key = key.trim_end();
        let lines = |between: &str| key.lines().collect::<Vec<_>>().join(between);
        let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
        let (first, last) = (key.lines().next().unwrap(), key.lines().last().unwrap());
        let wrapped = |width: usize| {
            let chunks: Vec<_> = body.as_bytes().chunks(width).map(|c| std::str::from_utf8(c).unwrap()).collect();
            format!("{first}\n{}\n{last}\n", chunks.join("\n"))
        };
        let mut all = vec![
            key.to_owned(),
            format!("{key}\n"),
            format!("\n\n  {key}  \n\n"),
            format!("\u{feff}{key}"),
            format!("\u{200b}{key}\u{a0}"),
            lines("\r\n"),
            lines("\r"),
            lines(" "),
            lines("  "),
            lines("\t"),
            lines("\u{a0}"),
            lines("\u{2028}"),
            lines(""),
            lines("\n\n"),
            lines("\n    "),
            lines("\n\t"),
            lines(" \n"),
            lines("\\n"),
            lines("\\r\\n"),
            lines("\\\\n"),
            lines("\\\\\\\\n"),
            lines("\\r"),
            lines("\\n\n"),
            lines("\n\\n"),
            lines(" \\n "),
            lines("\\u000a"),
            lines("\\u000D\\u000A"),
            lines("\\\n"),
            lines("%0A"),
            lines("%0d%0a"),
            lines("\",\n\""),
            format!("\"{}\\n\"", lines("\\n")),
            format!("\"{}\\n\",", lines("\\n")),
            format!("'{key}'"),
            format!("`{key}`"),
            format!("\u{201c}{key}\u{201d}"),
            format!("\u{201e}{key}\u{201c}"),
            format!("\u{2018}{key}\u{2019}"),
            format!("\\\"{}\\\"", lines("\\n")),
            format!("\"private_key\": \"{}\\n\",", lines("\\n")),
            format!("PRIVATE_KEY=\"{}\"", lines("\\n")),
            key.replace('/', "\\/"),
            lines("\\n").replace('+', "\\u002B").replace('/', "\\/").replace('=', "\\u003d"),
            key.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D").replace(' ', "+").replace('\n', "%0A"),
            key.replace("-----", "\u{2014}\u{2014}"),
            key.replace("-----", "----"),
            key.replacen("-----", "-", 1),
            key.replace("-----BEGIN", "----- BEGIN"),
            key.replace(' ', ""),
            key.replace(' ', "\u{a0}"),
            key.replace(' ', "\n"),
            key.trim_end_matches('-').to_owned() + "-",
            format!("Bag Attributes\n    localKeyID: 01\n{key}\n"),
            body.trim_end_matches('=').to_owned(),
            wrapped(48),
            wrapped(70),
            wrapped(76),
            wrapped(1),
            lines("&#10;"),
            lines("&#xA;"),
            lines("<br>"),
            lines("<br />\n"),
            lines("\n").replace('+', "&#43;").replace('/', "&#x2F;").replace('=', "&equals;"),
            format!("private_key: |\n  {}\n", lines("\n  ")),
            format!("export PRIVATE_KEY=$'{}'", lines("\\n")),
            format!("\u{201e}{}\u{201c}", lines("\u{2028}")),
        ];
        let unpadded = all.iter().position(|text| !text.contains("BEGIN")).unwrap();
        all[unpadded] = format!("{first}\n{}\n{last}", all[unpadded]);
        all.push(
            lines("\n").split('\n').map(|line| format!("> {line}").replace("> ", "  ")).collect::<Vec<_>>().join("\n"),
        );
        all
    }

    #[test]
    fn a_key_in_any_spelling_is_the_same_key_and_is_written_as_it_was_made() {
        for key in [PKCS8, PKCS1] {
            let meant = private_key(key).unwrap();
            for text in spellings(key) {
                let read = private_key(&text).unwrap_or_else(|problem| panic!("{text}\n{problem}"));
                assert_eq!(read.secret_der(), meant.secret_der(), "{text}");
                assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(&meant), "{text}");
                let tidied = tidy(&text).unwrap();
                assert_eq!(tidied.trim_end(), key.trim_end(), "{text}");
                assert_eq!(*tidy(&tidied).unwrap(), *tidied, "once is enough");
            }
        }
        assert_eq!(tidy(PKCS8).unwrap().as_str(), PKCS8, "a line break at the end stays");
        assert_eq!(tidy(PKCS8.trim_end()).unwrap().as_str(), PKCS8.trim_end(), "and none comes to be");
    }

    #[test]
    fn what_is_no_private_key_is_told_as_what_it_is() {
        let label = |label: &str| PKCS8.replace("PRIVATE KEY", label);
        let body: String = PKCS8.lines().filter(|line| !line.starts_with('-')).collect();
        let headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0123456789ABCDEF\n\n";
        let legacy = PKCS1.replacen("KEY-----\n", &format!("KEY-----\n{headers}"), 1);
        let json = serde_json::json!({ "type": "service_account", "private_key": PKCS8 }).to_string();
        let cut: String = PKCS8.lines().take(5).collect::<Vec<_>>().join("\n");
        let changed = PKCS8.replacen("MII", "M*I", 1);
        for (text, problem) in [
            ("", KeyProblem::NotPem),
            ("hello", KeyProblem::NotPem),
            ("BEGIN PRIVATE KEY", KeyProblem::NotPem),
            (&label("CERTIFICATE REQUEST"), KeyProblem::NotPem),
            (&body, KeyProblem::Bare),
            (&general_purpose::STANDARD.encode(PKCS8), KeyProblem::Encoded),
            (&json, KeyProblem::Json),
            (&format!("\u{feff}\n {json}"), KeyProblem::Json),
            (&json.replace('"', "\\\""), KeyProblem::Json),
            (&general_purpose::STANDARD.encode(&json), KeyProblem::Json),
            (&general_purpose::STANDARD.encode(format!("{{\n  {}", &json[1..])), KeyProblem::Json),
            ("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln", KeyProblem::NotPem),
            (&label("ENCRYPTED PRIVATE KEY"), KeyProblem::Encrypted),
            (&label("ENCRYPTED PRIVATE KEY").replace('\n', "\\n"), KeyProblem::Encrypted),
            (&legacy, KeyProblem::Encrypted),
            (&legacy.replace('\n', "\\n"), KeyProblem::Encrypted),
            (&label("OPENSSH PRIVATE KEY"), KeyProblem::OpenSsh),
            ("PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none", KeyProblem::Putty),
            (&label("PUBLIC KEY"), KeyProblem::PublicKey),
            (&label("RSA PUBLIC KEY"), KeyProblem::PublicKey),
            ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ me@example", KeyProblem::PublicKey),
            (&label("CERTIFICATE"), KeyProblem::Certificate),
            (&label("TRUSTED CERTIFICATE"), KeyProblem::Certificate),
            (&label("PGP PRIVATE KEY BLOCK"), KeyProblem::Pgp),
            (&cut, KeyProblem::Damaged),
            (&changed, KeyProblem::Damaged),
            (&PKCS8.replacen("BEGIN PRIVATE", "BEGIN RSA PRIVATE", 1), KeyProblem::Damaged),
            ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", KeyProblem::Damaged),
        ] {
            assert_eq!(private_key(text).map(|_| ()), Err(problem), "{text}");
            assert!(problem.to_string().contains(';') || problem == KeyProblem::Damaged, "{problem}");
        }
        // A key between other blocks is found.
        let bundle = format!("{}{}{PKCS8}", label("CERTIFICATE"), label("EC PARAMETERS"));
        assert!(private_key(&bundle).is_ok());
        assert_eq!(tidy(&bundle.replace('\n', "\\n")).unwrap().as_str(), bundle);
    }

    #[test]
    fn what_is_not_whole_pem_is_left_as_it_is() {
        let json = serde_json::json!({ "private_key": PKCS8 }).to_string();
        let cut: String = PKCS8.lines().take(5).collect::<Vec<_>>().join("\n");
        for text in ["", "hello", &json, &cut, "-----BEGIN", "-----BEGIN X-----", "\\", "%", "%zz", "\\u12"] {
            assert!(tidy(text).is_none(), "{text}");
        }
    }

    #[test]
    fn hostile_text_costs_no_more_than_its_length() {
        let began = std::time::Instant::now();
        for text in ["-BEGIN", "-----BEGIN A-----", "\\", "%41", "-BEGIN-END", "-----BEGIN A-----AAAA-----END A-----"] {
            let text = text.repeat(64 * 1024 / text.len());
            let _ = (tidy(&text), private_key(&text).map(|_| ()));
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
