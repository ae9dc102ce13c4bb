//! Which values and patterns have the shape of a key.

use regex_syntax::hir::literal::Extractor;

/// Prefixes of secrets that apps issue.
const BEGINNINGS: [&str; 46] = [
    "-----begin",
    "1//",
    "aiza",
    "age-secret-key-",
    "atatt",
    "atctt",
    "basic ",
    "bearer ",
    "dapi",
    "dckr_pat_",
    "dop_v1_",
    "eaac",
    "eyj",
    "figd_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "glsa_",
    "hf_",
    "hvb.",
    "hvs.",
    "lin_api_",
    "npm_",
    "ntn_",
    "pat-",
    "phc_",
    "pmak-",
    "pypi-",
    "rk_",
    "sg.",
    "shpat_",
    "shpca_",
    "shppa_",
    "shpss_",
    "sk-",
    "sk_",
    "sq0",
    "token ",
    "whsec_",
    "xapp-",
    "xox",
    "ya29.",
];
/// Members of a query that are secrets.
const QUERY: [&str; 7] = ["sig=", "signature=", "token=", "key=", "code=", "secret=", "password="];
/// Characters of a run of letters and digits that reads like a random key.
const KEY_RUN: usize = 20;

/// Whether a value has the shape of a key or a token.
pub(super) fn is_key_like(value: &str, is_identifier: bool) -> bool {
    let lower = value.trim().to_lowercase();
    if BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning) && lower.len() > beginning.len()) {
        return true;
    }
    if let Some((scheme, rest)) = lower.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let has_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
        let is_hook = authority.starts_with("hooks.") || rest.contains("/webhook") || rest.contains("/hooks/");
        let query = rest.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let has_secret = query.split('&').any(|member| QUERY.iter().any(|name| member.starts_with(name)));
        return !scheme.is_empty() && (has_password || is_hook || has_secret);
    }
    if lower.contains("accountkey=") || lower.contains("sharedaccesskey=") || lower.contains("password=") {
        return true;
    }
    !is_identifier && !is_uuid(&lower) && !lower.contains(['@', ' ']) && has_random_run(value)
}

/// Whether all that a pattern matches begins as keys do that apps give out.
pub(super) fn begins_like_key(pattern: &str) -> bool {
    let Ok(hir) = regex_syntax::parse(pattern) else { return false };
    let beginnings = Extractor::new().extract(&hir);
    beginnings.literals().is_some_and(|literals| {
        !literals.is_empty()
            && literals.iter().all(|literal| {
                let text = String::from_utf8_lossy(literal.as_bytes()).to_lowercase();
                BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
            })
    })
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn has_random_run(value: &str) -> bool {
    value.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        let mut kinds = [false; 256];
        run.bytes().for_each(|byte| {
            if let Some(kind) = kinds.get_mut(usize::from(byte)) {
                *kind = true;
            }
        });
        let is_mixed =
            digits >= 1 && run.bytes().any(|b| b.is_ascii_uppercase()) && run.bytes().any(|b| b.is_ascii_lowercase());
        run.len() >= KEY_RUN
            && (digits >= 3 || is_mixed)
            && digits < run.len()
            && kinds.iter().filter(|kind| **kind).count() >= 8
    })
}
