//! The parts of the job that compute and wait for nobody, each by itself: `cargo bench -p keyferry-bench --bench parts`.
//!
//! For a look at one part while it is worked on. What the whole costs, and which part of it is worth a look, the ladder tells
//! (`src/ladder.rs`); regressions of plugins are held by the instructions that they take (`tests/effort.json`).

use divan::{Bencher, black_box};
use futures_util::FutureExt as _;
use keyferry::egress::{GrantSet, Method};
use keyferry::ids::{AccountId, AuthTypeName, Environment, FieldName, OrgId, Slug};
use keyferry::migrate::seal_context;
use keyferry::schema::{AuthSchema, AuthTypeSpec, FieldSpec, Input};
use keyferry::secret::Secret;
use keyferry::store::{AccountKey, IntegrationKey};
use keyferry::vault::{ApiKey, KeyEncryptionKey, KeyId, SealContext, Vault};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() {
    divan::main();
}

/// Ends the bench with what is wrong: a figure of something that failed is none.
fn made<T>(outcome: Outcome<T>) -> T {
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

/// Whether a plugin's request may be sent, where the last of its grants is the one that says so.
#[divan::bench(args = [1, 16])]
fn request_is_allowed(bencher: Bencher, grants: usize) {
    let (set, url) = made(grants_of(grants));
    bencher.bench(|| black_box(&set).allows(Method::Get, black_box(&url)).is_ok());
}

/// A credential of four fields into its envelope.
#[divan::bench]
fn credential_is_sealed(bencher: Bencher) {
    let sealing = made(Sealing::new());
    bencher.bench(|| sealing.vault.seal(&sealing.place, &sealing.fields()).is_ok());
}

/// And out of it.
#[divan::bench]
fn credential_is_opened(bencher: Bencher) {
    let sealing = made(Sealing::new());
    let envelope = made(sealing.vault.seal(&sealing.place, &sealing.fields()).map_err(Into::into));
    bencher.bench(|| sealing.vault.open(&sealing.place, &envelope).is_ok());
}

fn schema() -> Outcome<(AuthSchema, Input)> {
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

fn grants_of(count: usize) -> Outcome<(GrantSet, url::Url)> {
    let grants: Result<Vec<_>, _> =
        (1..=count).map(|number| format!("GET https://api-{number}.example.com/v1/").parse()).collect();
    let (set, url) = (GrantSet::new(grants?), format!("https://api-{count}.example.com/v1/account").parse()?);
    match set.allows(Method::Get, &url) {
        Ok(()) => Ok((set, url)),
        Err(denied) => Err(denied.to_string().into()),
    }
}

/// A vault, and what is sealed in it.
struct Sealing {
    vault: Vault,
    place: SealContext,
    fields: Vec<(FieldName, Secret)>,
}

impl Sealing {
    fn new() -> Outcome<Self> {
        let org: OrgId = "acme".parse()?;
        let vault = Vault::new(KeyEncryptionKey::from_bytes(&[7; 32])?);
        // A key that is at hand asks no service, so that there is nothing to wait for.
        let root = vault.create_root(&org, KeyId::FIRST).now_or_never().ok_or("the key was waited for")??;
        vault.adopt_root(&org, root);
        let account: AccountId = "user_1".parse()?;
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
