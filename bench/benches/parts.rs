//! The parts of the job that only compute, each measured alone: `cargo bench -p keyferry-bench --bench parts`.
//!
//! They show the effect of a change to one part. The ladder (`src/ladder`) measures the whole and the share of each
//! part; `tests/fuel.json` guards against regressions of plugins by their number of instructions.

use std::sync::Arc;

use divan::{Bencher, black_box};
use futures_util::FutureExt as _;
use keyferry_egress::{Call, EgressLimits, GrantSet, Method};
use keyferry_schema::{AuthSchema, AuthTypeSpec, FieldSpec, Input};
use keyferry_service::seal_context;
use keyferry_store::{AccountKey, IntegrationKey};
use keyferry_types::ids::{AuthTypeName, Environment, FieldName, LinkedAccountId, OrgId, Slug};
use keyferry_types::secret::Secret;
use keyferry_vault::{ApiKey, KeyEncryptionKey, KeyId, SealContext, Vault};
use tokio::time::Instant;

type Section<T> = Result<T, Box<dyn std::error::Error>>;

fn main() {
    divan::main();
}

/// Ends the bench with the error, because the timing of a failed operation means nothing.
fn made<T>(outcome: Section<T>) -> T {
    outcome.unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(1)
    })
}

/// The hash that a request's API key is looked up by.
#[divan::bench]
fn api_key_is_hashed(bencher: Bencher) {
    let key = made(ApiKey::generate(Environment::Test).map_err(Into::into));
    bencher.bench(|| black_box(&key).hash());
}

/// A request's body against the schema of its app: four fields, each with a pattern.
#[divan::bench]
fn credential_is_validated(bencher: Bencher) {
    let (schema, body) = made(schema());
    bencher.bench(|| black_box(&schema).validate(black_box(&body)).is_ok());
}

/// The check of a plugin's request against its grants, where only the last grant allows it.
#[divan::bench(args = [1, 16])]
fn request_is_allowed(bencher: Bencher, grants: usize) {
    let (set, url) = made(grants_of(grants));
    bencher.bench(|| black_box(&set).allows(Method::Get, black_box(&url)).is_ok());
}

/// Seals a credential of four fields into its envelope.
#[divan::bench]
fn credential_is_sealed(bencher: Bencher) {
    let sealing = made(Sealing::new());
    bencher.bench(|| sealing.vault.seal(&sealing.place, &sealing.fields()).is_ok());
}

/// Opens that envelope.
#[divan::bench]
fn credential_is_opened(bencher: Bencher) {
    let sealing = made(Sealing::new());
    let envelope = made(sealing.vault.seal(&sealing.place, &sealing.fields()).map_err(Into::into));
    bencher.bench(|| sealing.vault.open(&sealing.place, &envelope).is_ok());
}

/// Registers a secret of this length in bytes with a call.
#[divan::bench(args = [32, 1024, 64 * 1024])]
fn secret_becomes_known(bencher: Bencher, bytes: usize) {
    let secret = Arc::new(Secret::new("sk_live_00112233".repeat(bytes / 16)));
    bencher.bench(|| {
        let mut call = call(0);
        call.add_secret(Arc::clone(&secret));
        call
    });
}

/// A response of this size in KiB that contains neither of two secrets, as most responses do.
#[divan::bench(args = [2, 64, 1024])]
fn answer_is_redacted(bencher: Bencher, kib: usize) {
    let (call, answer) = (call(2), JSON.repeat(kib * 1024 / JSON.len() + 1));
    bencher.bench(|| call.redact_bytes(black_box(answer.as_bytes())));
}

/// A response of 64 KiB with this number of known secrets, which have a common prefix.
#[divan::bench(args = [1, 8, 64])]
fn answer_is_redacted_of_secrets(bencher: Bencher, secrets: usize) {
    let (call, answer) = (call(secrets), JSON.repeat(64 * 1024 / JSON.len() + 1));
    bencher.bench(|| call.redact_bytes(black_box(answer.as_bytes())));
}

/// The largest response, made of what costs most: nested escapes, base64, quoted-printable, prefixes of secrets,
/// echoes.
#[divan::bench(args = ["\\\\\"", "%2525252541", "QUJDREVG/", "UFBQ", "=3D=41", "sk_live_", "sk_live_0001 ", "&#x3D;", "de:ad:"])]
fn worst_answer_is_redacted(bencher: Bencher, unit: &str) {
    let (call, answer) = (call(8), unit.repeat(1024 * 1024 / unit.len()));
    bencher.bench(|| call.redact_bytes(black_box(answer.as_bytes())));
}

/// The beginning of a response of Stripe.
const JSON: &str = r#"{"id":"acct_1AbCdEfGhIjKlMnO","object":"account","business_profile":{"mcc":null,"name":"Acme & Sons",
  "url":"https:\/\/acme.example.com\/shop?from=mail&lang=en","support_phone":"+15555550123"},"charges_enabled":true,
  "capabilities":{"card_payments":"active","transfers":"active"},"created":1700000000,"default_currency":"eur"}"#;

fn call(secrets: usize) -> Call {
    let mut call = Call::new(Arc::new(GrantSet::default()), Instant::now(), &EgressLimits::default());
    (0..secrets).for_each(|number| call.add_secret(Arc::new(Secret::new(format!("sk_live_{number:04}")))));
    call
}

fn schema() -> Section<(AuthSchema, Input)> {
    let field = |number: usize| FieldSpec {
        name: format!("field_{number}"),
        label: format!("Field {number}"),
        secret: true,
        required: true,
        pattern: Some("[a-z]{2}_[0-9a-f]{32}".to_owned()),
        ..FieldSpec::default()
    };
    let spec = AuthTypeSpec {
        name: "keybased".to_owned(),
        label: "API key".to_owned(),
        fields: (0..4).map(field).collect(),
        ..AuthTypeSpec::default()
    };
    let body = r#"{"keybased": {
        "field_0": "sk_00112233445566778899aabbccddeeff", "field_1": "sk_00112233445566778899aabbccddeeff",
        "field_2": "sk_00112233445566778899aabbccddeeff", "field_3": "sk_00112233445566778899aabbccddeeff"}}"#;
    let (schema, body) = (AuthSchema::parse(vec![spec])?, serde_json::from_str(body)?);
    match schema.validate(&body) {
        Ok(_) => Ok((schema, body)),
        Err(violations) => Err(violations.into()),
    }
}

fn grants_of(count: usize) -> Section<(GrantSet, url::Url)> {
    let grants: Result<Vec<_>, _> =
        (1..=count).map(|number| format!("GET https://api-{number}.example.com/v1/").parse()).collect();
    let (set, url) = (GrantSet::new(grants?), format!("https://api-{count}.example.com/v1/account").parse()?);
    match set.allows(Method::Get, &url) {
        Ok(()) => Ok((set, url)),
        Err(denied) => Err(denied.to_string().into()),
    }
}

/// A vault, and a credential sealed in it.
struct Sealing {
    vault: Vault,
    place: SealContext,
    fields: Vec<(FieldName, Secret)>,
}

impl Sealing {
    fn new() -> Section<Self> {
        let org: OrgId = "acme".parse()?;
        let vault = Vault::new(KeyEncryptionKey::from_bytes(&[7; 32])?);
        // A local key calls no service, so the future is ready at once.
        let root = vault.create_root(&org, KeyId::FIRST).now_or_never().ok_or("the key was waited for")??;
        vault.adopt_root(&org, root);
        let account: LinkedAccountId = "user_1".parse()?;
        let key = IntegrationKey {
            account: AccountKey { org, environment: Environment::Test, account },
            slug: "stripe".parse::<Slug>()?,
        };
        let fields: Result<Vec<_>, _> = (0..4)
            .map(|number| format!("field_{number}").parse().map(|name| (name, Secret::new("sk_00112233445566778899"))))
            .collect();
        Ok(Self { vault, place: seal_context(&key, &AuthTypeName::keybased(), 1), fields: fields? })
    }

    fn fields(&self) -> Vec<(FieldName, &Secret)> {
        self.fields.iter().map(|(name, value)| (name.clone(), value)).collect()
    }
}
