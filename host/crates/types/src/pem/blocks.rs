//! The PEM blocks of a text, with any dashes, blanks and quotes around their parts.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::chars::{is_blank, is_dash, is_quote};
use super::problem::KeyProblem;

/// Blocks of one text that are looked at. A chain of certificates has up to ten.
const MOST_BLOCKS: usize = 32;
/// Characters of the longest label.
const LONGEST_LABEL: usize = 64;

/// Accepts missing padding and non-zero trailing bits: encoders differ in both.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Labels whose words are separated again if their blanks were lost.
const LABELS: [&str; 9] = [
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "EC PARAMETERS",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "CERTIFICATE",
];

/// A block of PEM.
pub(super) struct Block {
    pub(super) label: String,
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// The blocks of a text, and what stands behind the last one.
pub(super) fn blocks(text: &str) -> Result<(Vec<Block>, &str), KeyProblem> {
    let (mut blocks, mut rest) = (Vec::new(), text);
    while let Some(begin) = marker(rest, "BEGIN") {
        if begin.label.contains("PGP") {
            return Err(KeyProblem::Pgp);
        }
        if begin.label == "OPENSSH PRIVATE KEY" {
            return Err(KeyProblem::OpenSsh);
        }
        if begin.label == "ENCRYPTED PRIVATE KEY" {
            return Err(KeyProblem::Encrypted);
        }
        let end = marker(begin.after, "END").filter(|end| end.label == begin.label).ok_or(KeyProblem::Damaged)?;
        if end.before.contains("ENCRYPTED") {
            return Err(KeyProblem::Encrypted);
        }
        let der = decoded(end.before).filter(|der| !der.is_empty()).ok_or(KeyProblem::Damaged)?;
        blocks.push(Block { label: begin.label, der });
        if blocks.len() > MOST_BLOCKS {
            return Err(KeyProblem::Damaged);
        }
        rest = end.after;
    }
    Ok((blocks, rest))
}

/// `-----BEGIN RSA PRIVATE KEY-----`, and what is around it.
struct Marker<'a> {
    before: &'a str,
    label: String,
    after: &'a str,
}

/// The first such line. Any number of dashes of any kind is accepted.
fn marker<'a>(text: &'a str, word: &str) -> Option<Marker<'a>> {
    text.match_indices(word).find_map(|(at, _)| {
        let before = text.get(..at)?;
        let dashless = before.trim_end_matches(is_blank).trim_end_matches(is_dash);
        if dashless.len() == before.trim_end_matches(is_blank).len() {
            return None;
        }
        let rest = text.get(at + word.len()..)?;
        let label = rest.get(..rest.find(is_dash)?)?;
        if label.chars().count() > LONGEST_LABEL {
            return None;
        }
        let after = rest.get(label.len()..)?.trim_start_matches(is_dash);
        Some(Marker { before: dashless, label: canonical_label(label), after })
    })
}

fn canonical_label(text: &str) -> String {
    let joined: String = text.chars().filter(|c| !is_blank(*c)).collect::<String>().to_ascii_uppercase();
    match LABELS.iter().find(|label| label.chars().filter(|c| *c != ' ').eq(joined.chars())) {
        Some(label) => (*label).to_owned(),
        None => text.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
    }
}

fn decoded(body: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.chars().filter(|c| !is_blank(*c) && !is_quote(*c) && *c != ','));
    LENIENT.decode(base64.as_bytes()).ok().map(Zeroizing::new)
}
