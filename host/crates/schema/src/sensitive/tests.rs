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
        "tokenvalue",
        "accesstokenstring",
        "apikeyv2",
        "api_key_v2",
        "keyfile",
        "key_file",
        "privatekeyfile",
        "keypair",
        "keytab",
        "keydata",
        "secretsjson",
        "saml_assertion",
        "client_assertion",
        "macaroon",
        "api_hash",
        "access_code",
        "security_code",
        "passord",
        "salasana",
        "kube_config",
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
        "tokentype",
        "tokenendpoint",
        "keyname",
        "apikeyname",
        "keyversion",
        "passage",
        "country_code",
        "currency_code",
        "state",
        "store",
        "profile",
        "hash_algorithm",
        "compassion",
        "keystone_host",
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
        "Passwοrd",
        "𝐀𝐏𝐈 𝐤𝐞𝐲",
        "Ⓣⓞⓚⓔⓝ",
        "Lösenord",
        "Şifre",
        "Palavra-passe",
        "Mật khẩu",
        "Salasana",
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

#[test]
fn a_help_text_that_asks_for_a_secret_and_a_pattern_of_keys_count() {
    for help in [
        "Your API key",
        "The API key from Settings > Developers",
        "Paste your access token here.",
        "Please enter the password of your account",
        "Client secret, shown once",
        "API-Schlüssel aus den Einstellungen",
    ] {
        let field = |name: &str| FieldSpec { help: Some(help.into()), ..named(name) };
        assert!(suspicion_of(field("value")).is_some(), "{help}");
        assert_eq!(suspicion_of(field("account_id")), None, "{help}: an identifier may be explained by its key");
    }
    for help in [
        "Shown next to the API key",
        "Found under Settings > API keys",
        "The subdomain of your account: `acme` of acme.example",
        "The account that the token belongs to",
        "Copy it from the address bar",
        "In the key file; not used.",
        "Of the certificate that was uploaded",
        "Beside the token",
        "",
    ] {
        assert_eq!(suspicion_of(FieldSpec { help: Some(help.into()), ..named("value") }), None, "{help}");
    }
    for pattern in
        ["sk_(live|test)_[A-Za-z0-9]+", "^xox[bp]-.+$", "gh[opsu]_[0-9A-Za-z]{36}", "(?:ghp_|github_pat_).*", "eyJ.*"]
    {
        assert!(suspicion_of(FieldSpec { pattern: Some(pattern.into()), ..named("value") }).is_some(), "{pattern}");
    }
    for pattern in ["[a-z0-9-]{1,63}", "(sk_.*)?", "eu|us|sk", ".*", "", "acme_[0-9]+", "sk_live_.*|acme"] {
        assert_eq!(suspicion_of(FieldSpec { pattern: Some(pattern.into()), ..named("value") }), None, "{pattern}");
    }
}
