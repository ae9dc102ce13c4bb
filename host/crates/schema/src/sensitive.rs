//! Which fields look like secrets by what they are called, or by their example.
//!
//! A plugin reads a field that is not marked secret as text. A name, label or placeholder is read as a compound whose last word says
//! what it is: `private_key_id` and `token_uri` name an id and a URI, `api_key` and `ClientSecret` a key and a secret. So an
//! `access_key_id` is no secret, and needs no exception of its own.

use crate::model::{Field, FieldKind};
use keyferry_types::invisible::is_invisible;

/// Words that name a secret by themselves, in the singular.
const SECRETS: [&str; 56] = [
    "auth",
    "authorization",
    "bearer",
    "cert",
    "certificate",
    "chave",
    "chiave",
    "clave",
    "clé",
    "contrasena",
    "contraseña",
    "cookie",
    "credential",
    "cred",
    "dsn",
    "geheimnis",
    "haslo",
    "hasło",
    "heslo",
    "hmac",
    "jeton",
    "jwt",
    "kennwort",
    "key",
    "keystore",
    "kubeconfig",
    "motdepasse",
    "mnemonic",
    "otp",
    "parola",
    "pass",
    "passwort",
    "pat",
    "pem",
    "pfx",
    "pin",
    "private",
    "psk",
    "pw",
    "pwd",
    "sas",
    "schlussel",
    "schluessel",
    "schlüssel",
    "segredo",
    "secreto",
    "senha",
    "sleutel",
    "totp",
    "wachtwoord",
    "ключ",
    "пароль",
    "секрет",
    "токен",
    "session",
    "webhook",
];
/// Pieces that make any word they stand in one that names a secret.
const PIECES: [&str; 20] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "credential",
    "bearer",
    "密码",
    "密碼",
    "密钥",
    "金鑰",
    "令牌",
    "秘密",
    "パスワード",
    "トークン",
    "シークレット",
    "キー",
    "비밀번호",
    "비밀",
    "토큰",
];
/// Words that a piece or an ending would mistake.
const OTHERS: [&str; 14] = [
    "secretary",
    "secretariat",
    "monkey",
    "turkey",
    "donkey",
    "hockey",
    "jockey",
    "whiskey",
    "hotkey",
    "keyboard",
    "compass",
    "bypass",
    "overpass",
    "trespass",
];
/// Words in a row that name a secret although none of them need do so.
const PHRASES: [&[&str]; 25] = [
    &["connection", "string"],
    &["connection", "url"],
    &["connection", "uri"],
    &["conn", "str"],
    &["conn", "string"],
    &["connstr"],
    &["connectionstr"],
    &["magic", "link"],
    &["connectionstring"],
    &["database", "url"],
    &["database", "uri"],
    &["db", "url"],
    &["mongo", "uri"],
    &["redis", "url"],
    &["hook", "url"],
    &["jdbc", "url"],
    &["session", "id"],
    &["signed", "url"],
    &["presigned", "url"],
    &["service", "account", "json"],
    &["recovery", "code"],
    &["backup", "code"],
    &["seed", "phrase"],
    &["mot", "de", "passe"],
    &["secret", "id"],
];
/// What a compound is that ends so, whatever stands before it.
const HARMLESS: [&str; 70] = [
    "account",
    "age",
    "alg",
    "algorithm",
    "alias",
    "arn",
    "audience",
    "count",
    "date",
    "domain",
    "email",
    "endpoint",
    "env",
    "environment",
    "expiration",
    "expire",
    "expiry",
    "fingerprint",
    "format",
    "guid",
    "host",
    "hostname",
    "id",
    "identifier",
    "issuer",
    "kid",
    "kind",
    "label",
    "length",
    "lifetime",
    "link",
    "location",
    "method",
    "mode",
    "name",
    "owner",
    "parameter",
    "path",
    "policy",
    "prefix",
    "project",
    "provider",
    "public",
    "purpose",
    "realm",
    "region",
    "rotation",
    "scope",
    "serial",
    "server",
    "sid",
    "size",
    "space",
    "status",
    "subject",
    "suffix",
    "thumbprint",
    "title",
    "ttl",
    "type",
    "uid",
    "uri",
    "url",
    "usage",
    "user",
    "username",
    "uuid",
    "vault",
    "version",
    "tenant",
];
/// Endings after which the compound is what stood before them.
const NEUTRAL: [&str; 22] = [
    "content",
    "current",
    "data",
    "field",
    "here",
    "input",
    "live",
    "new",
    "number",
    "old",
    "optional",
    "plain",
    "primary",
    "production",
    "raw",
    "required",
    "sandbox",
    "secondary",
    "string",
    "test",
    "text",
    "value",
];
/// Words that end a compound.
const STOPS: [&str; 26] = [
    "a", "an", "and", "as", "at", "before", "by", "for", "from", "in", "is", "of", "on", "or", "our", "per", "that",
    "the", "this", "to", "under", "used", "what", "with", "without", "your",
];
/// Qualifiers of a key that is meant to be known.
const PUBLIC: [&str; 3] = ["public", "publishable", "pub"];
/// Locators that hold a secret where one of these words stands before them: a signature, or a user's password.
const LOCATORS: [&str; 4] = ["url", "uri", "link", "endpoint"];
const SIGNED: [&str; 3] = ["sas", "dsn", "webhook"];

/// How values of secrets begin that apps give out.
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

/// Why a field that is not secret looks as if it were; `None` where it does not. Whether it is marked secret plays no part.
pub fn suspicion(field: &Field) -> Option<String> {
    let spec = &field.spec;
    // The plugin knows the values that these can have.
    if matches!(spec.kind, FieldKind::Boolean | FieldKind::Select) {
        return None;
    }
    let is_identifier = is_harmless(field.name.as_str());
    for (what, text) in [
        ("name", Some(field.name.as_str())),
        ("label", Some(spec.label.as_str())),
        ("placeholder", spec.placeholder.as_deref()),
    ] {
        if let Some(word) = text.and_then(secret_word) {
            return Some(format!("its {what} has the word `{word}`"));
        }
    }
    let values = [("example", &spec.example), ("placeholder", &spec.placeholder), ("default", &spec.default)];
    values.into_iter().find_map(|(what, value)| {
        let value = value.as_deref()?;
        is_key_like(value, is_identifier).then(|| format!("its {what} looks like a key"))
    })
}

/// The word by which a text names a secret.
fn secret_word(text: &str) -> Option<String> {
    compounds(text).iter().find_map(|compound| secret_in(compound))
}

/// Whether a name says that it is an identifier, an address or something else that is known to others.
fn is_harmless(text: &str) -> bool {
    let compounds = compounds(text);
    compounds.last().is_some_and(|compound| head(compound).is_some_and(|head| HARMLESS.contains(&head)))
}

/// The word that says what a compound is.
fn head(compound: &[String]) -> Option<&str> {
    compound.iter().rev().map(String::as_str).find(|word| !NEUTRAL.contains(word))
}

fn secret_in(compound: &[String]) -> Option<String> {
    let has =
        |phrase: &[&str]| compound.windows(phrase.len()).any(|words| words.iter().zip(phrase).all(|(a, b)| a == b));
    if let Some(phrase) = PHRASES.iter().find(|phrase| has(phrase)) {
        return Some(phrase.join(" "));
    }
    let word = compound.iter().find(|word| is_secret_word(word))?;
    let head = head(compound)?;
    let is_locator = LOCATORS.contains(&head) && compound.iter().any(|word| SIGNED.contains(&word.as_str()));
    let is_public = compound.iter().any(|word| PUBLIC.contains(&word.as_str()))
        && !compound.iter().any(|word| matches!(word.as_str(), "private" | "secret"));
    if !is_locator && (is_public || HARMLESS.contains(&head)) {
        return None;
    }
    Some(word.clone())
}

fn is_secret_word(word: &str) -> bool {
    if OTHERS.contains(&word) {
        return false;
    }
    SECRETS.contains(&word)
        || PIECES.iter().any(|piece| word.contains(piece))
        // `apikey`, `accesstoken`, `API-Schlüssel`.
        || ["key", "token", "pass", "pwd", "schlüssel"].iter().any(|ending| word.ends_with(ending))
}

/// The words of a text in lower case, parted where a compound ends: at other marks than `_`, `-`, `.` and white space, and at
/// words such as `of`.
fn compounds(text: &str) -> Vec<Vec<String>> {
    let mut compounds: Vec<Vec<String>> = vec![Vec::new()];
    let mut word = String::new();
    let chars: Vec<char> =
        text.chars().filter(|c| c.is_whitespace() || c.is_control() || !is_invisible(*c)).map(plain).collect();
    for (index, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            take(&mut word, &mut compounds);
            // A mark in the middle of a text parts what it stands between.
            if !(matches!(c, '_' | '-' | '.' | '\'' | '’') || c.is_whitespace()) {
                compounds.push(Vec::new());
            }
            continue;
        }
        let before = index.checked_sub(1).and_then(|at| chars.get(at)).copied().unwrap_or(' ');
        let after = chars.get(index + 1).copied().unwrap_or(' ');
        let begins = (c.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && after.is_lowercase())))
            || c.is_numeric() != before.is_numeric();
        // `APIKeys` is API and Keys, `PINs` is PIN with an ending.
        let ends_plural = after == 's' && chars.get(index + 2).is_none_or(|next| !next.is_alphanumeric());
        if begins && !(before.is_uppercase() && c.is_uppercase() && ends_plural) {
            take(&mut word, &mut compounds);
        }
        word.extend(c.to_lowercase());
    }
    take(&mut word, &mut compounds);
    compounds.retain(|compound| !compound.is_empty());
    compounds
}

/// Ends a word: puts it, in the singular and without digits, where it belongs.
fn take(word: &mut String, compounds: &mut Vec<Vec<String>>) {
    let taken = plain_word(std::mem::take(word));
    if taken.is_empty() || taken.chars().all(char::is_numeric) {
        return;
    }
    if STOPS.contains(&taken.as_str()) {
        compounds.push(Vec::new());
        return;
    }
    let singular = match taken.strip_suffix('s') {
        Some(one) if one.chars().count() > 2 && !one.ends_with(['s', 'u']) && taken != "alias" => one,
        _ => taken.as_str(),
    };
    let Some(compound) = compounds.last_mut() else { return };
    // `accesskeyid` is an id too.
    let glued = ["id", "uri", "url", "type", "name"].into_iter().find_map(|end| {
        let rest = singular.strip_suffix(end).filter(|rest| is_secret_word(rest) || matches!(*rest, "webhook"))?;
        Some([rest.to_owned(), end.to_owned()])
    });
    match glued {
        Some(parts) => compound.extend(parts),
        None => compound.push(singular.to_owned()),
    }
}

/// Full-width forms as the letters that they are.
fn plain(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

/// A word in Latin letters with Cyrillic ones among them, which look alike, in Latin letters.
fn plain_word(word: String) -> String {
    if word.is_ascii() || !word.contains(|c: char| c.is_ascii_alphabetic()) {
        return word;
    }
    let latin = |c| match c {
        'а' => 'a',
        'е' => 'e',
        'о' => 'o',
        'р' => 'p',
        'с' => 'c',
        'у' => 'y',
        'к' => 'k',
        'т' => 't',
        'і' => 'i',
        'ѕ' => 's',
        _ => c,
    };
    word.chars().map(latin).collect()
}

/// Whether a value has the shape of a key or a token.
fn is_key_like(value: &str, is_identifier: bool) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AuthSchema, AuthTypeSpec, FieldSpec};

    fn suspicion_of(spec: FieldSpec) -> Option<String> {
        let auth_type = AuthTypeSpec { name: "keybased".into(), fields: vec![spec], ..AuthTypeSpec::default() };
        suspicion(&AuthSchema::parse(vec![auth_type]).unwrap().types()[0].fields[0])
    }

    fn named(name: &str) -> FieldSpec {
        FieldSpec { name: name.into(), ..FieldSpec::default() }
    }

    #[test]
    fn a_name_that_reads_like_a_secret_is_told_from_one_that_does_not() {
        for name in [
            "api_key",
            "apiKey",
            "APIKey",
            "apikey",
            "API_KEY",
            "ApiKeys",
            "key",
            "key1",
            "secret",
            "client_secret",
            "clientSecret",
            "appsecret",
            "token",
            "access_token",
            "accessToken",
            "ACCESSTOKEN",
            "bot_token_value",
            "id_token",
            "password",
            "Passwd",
            "user_pwd",
            "userpwd",
            "pass",
            "passphrase",
            "pin",
            "pin_number",
            "PINs",
            "private_key",
            "privateKeyPem",
            "credential",
            "credentials_json",
            "service_account_json",
            "client_cert",
            "certificate",
            "auth",
            "auth_code",
            "authorization",
            "authorization_header",
            "bearer",
            "bearer_value",
            "pat",
            "github_pat",
            "sas",
            "sas_url",
            "dsn",
            "sentry_dsn",
            "connection_string",
            "connectionString",
            "conn_str",
            "database_url",
            "webhook",
            "webhook_url",
            "incoming_webhook_uri",
            "presigned_url",
            "jwt",
            "cookie",
            "session_cookie",
            "session_id",
            "secret_id",
            "role_secret_id",
            "otp_seed",
            "hmac",
            "license_key",
            "consumer_key",
            "key_and_account_id",
            "private",
            "recovery_codes",
            "passwort",
            "senha",
            "contrasena",
            "secret_text",
            "token_2",
            "jdbc_url",
            "apiSecretKey",
            "x_api_key",
            "authkey",
            "sharedAccessKey",
            "storage_account_key",
            "privkey",
            "userpass",
            "db_pass",
            "pin_code",
            "personalAccessToken",
            "basic_auth",
            "sasToken",
            "conn_string",
            "slack_webhook",
            "hook_url",
            "smtp_password",
            "signing_secret",
            "ssh_key",
            "keystore",
            "kubeconfig",
            "magic_link",
        ] {
            assert!(suspicion_of(named(name)).is_some(), "{name}");
        }
        for name in [
            "private_key_id",
            "access_key_id",
            "accessKeyId",
            "accesskeyid",
            "key_id",
            "token_id",
            "client_id",
            "kid",
            "token_uri",
            "token_url",
            "tokenUrl",
            "auth_uri",
            "auth_url",
            "token_type",
            "auth_type",
            "auth_method",
            "token_endpoint",
            "authorization_endpoint",
            "auth_provider_x509_cert_url",
            "client_x509_cert_url",
            "api_key_sid",
            "account_sid",
            "key_name",
            "secret_name",
            "key_vault",
            "token_expires_at",
            "token_expires_in",
            "expires_at",
            "public_key",
            "publishable_key",
            "api_key_prefix",
            "certificate_fingerprint",
            "username",
            "user",
            "email",
            "subdomain",
            "account",
            "account_id",
            "region",
            "tenant_id",
            "project",
            "shop",
            "site",
            "company",
            "keyword",
            "monkey_name",
            "author",
            "authority",
            "patient",
            "passport",
            "pinboard",
            "spin",
            "instance_url",
            "base_url",
            "webhook_id",
            "universe_domain",
            "installation_id",
            "alias",
            "status",
        ] {
            assert_eq!(suspicion_of(named(name)), None, "{name}");
        }
    }

    #[test]
    fn a_label_or_placeholder_that_reads_like_a_secret_counts_in_whatever_case_and_script() {
        for label in [
            "API key",
            "Api-Key",
            "API KEY",
            "Your API key:",
            "API key (ID)",
            "API key for your account name",
            "Consumer key",
            "Personal access token",
            "PAT",
            "P\u{200b}assword",
            "ｐａｓｓｗｏｒｄ",
            "Pаssword",
            "Webhook URL",
            "SAS URL",
            "Connection string",
            "Login / Password",
            "Account ID and secret",
            "API-Schlüssel",
            "Kennwort",
            "Contraseña",
            "Mot de passe",
            "Пароль",
            "密码",
            "APIキー",
            "비밀번호",
            "Signing certificate",
            "Key 1",
            "Secret.Key",
            "Bearer …",
        ] {
            assert!(suspicion_of(FieldSpec { label: label.into(), ..named("value") }).is_some(), "{label}");
            assert!(suspicion_of(FieldSpec { placeholder: Some(label.into()), ..named("value") }).is_some(), "{label}");
        }
        for label in [
            "Account ID",
            "Access key ID",
            "Key ID",
            "Client ID",
            "Token URI",
            "Name",
            "Subdomain",
            "E-mail address",
            "API key SID",
            "Region",
            "Organisation",
            "Keyword",
            "Public key",
            "Author",
            "Antwort",
            "Ключевое слово",
        ] {
            assert_eq!(suspicion_of(FieldSpec { label: label.into(), ..named("value") }), None, "{label}");
        }
    }

    #[test]
    fn an_example_of_the_shape_of_a_key_counts() {
        for example in [
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "sk-abc",
            "xoxb-1234",
            "ghp_example",
            "github_pat_11A",
            "AIzaSyA",
            "eyJhbGciOi.x.y",
            "-----BEGIN PRIVATE KEY-----\nexample",
            "Bearer abc",
            "https://user:pass@acme.example/db",
            "postgres://u:p@h/db",
            "https://hooks.slack.example/services/T0/B0/x",
            "https://acme.example/x?sv=1&sig=abc",
            "AccountName=a;AccountKey=b",
            "0123456789abcdef0123456789abcdef",
            "wJalrXUtnFEMI7K7MDENGbPxRfiCYEXAMPLE",
            "shpat_0",
            "pat-na1-1",
        ] {
            assert!(suspicion_of(FieldSpec { example: Some(example.into()), ..named("value") }).is_some(), "{example}");
        }
        for example in [
            "acme",
            "acme.example",
            "agent@acme.example",
            "https://acme.example/v1?page=1",
            "00000000-1111-2222-3333-444444444444",
            "1234567_SB1",
            "eu-central-1",
            "12345678901234567890",
            "acct_0example0",
            "importer@acme-1234567890123456.example",
            "my-project-123456",
            "example",
        ] {
            assert_eq!(suspicion_of(FieldSpec { example: Some(example.into()), ..named("value") }), None, "{example}");
        }
        let id = FieldSpec { example: Some("3MVG9exampleExampleExample01234".into()), ..named("client_id") };
        assert_eq!(suspicion_of(id), None, "an identifier may be random");
    }
}
