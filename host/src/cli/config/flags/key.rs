//! The key-encryption key, and the one that replaces it.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::CliError;
use keyferry_types::path_text::ShowPath as _;
use keyferry_vault::{KeyProvider, KmsKey, TokenSource, TransitKey, TransitSettings};

/// The variable with the token of a transit engine: the one that its other clients read. It is no flag, because arguments
/// are visible in the list of processes.
const TOKEN: &str = "VAULT_TOKEN";

/// The key-encryption key: one of the four.
#[derive(Args, Default, Clone)]
pub(in crate::cli) struct KekArgs {
    /// The file with the key-encryption key, made on first start [default: keyferry.key in the data folder].
    #[arg(long, value_name = "FILE", env = "KEYFERRY_KEY_FILE")]
    key_file: Option<PathBuf>,

    /// Take the key-encryption key (32 bytes in base64 or hex) from this environment variable instead.
    #[arg(long, value_name = "NAME", env = "KEYFERRY_KEY_ENV")]
    key_env: Option<String>,

    /// Wrap root keys by this key of AWS KMS instead: its ARN, id or alias. Region and credentials are found as by AWS' own
    /// tools.
    #[arg(long, value_name = "KEY", env = "KEYFERRY_KEY_KMS")]
    key_kms: Option<KmsKey>,

    /// Wrap root keys by this key of a transit engine (Vault, OpenBao) instead:
    /// `https://vault.example.com/v1/transit/keys/NAME`. The token is taken from VAULT_TOKEN, or from --key-token-file.
    #[arg(long, value_name = "URL", env = "KEYFERRY_KEY_TRANSIT")]
    key_transit: Option<TransitKey>,

    /// The file with the transit engine's token, read for each call.
    #[arg(long, value_name = "FILE", env = "VAULT_TOKEN_FILE")]
    key_token_file: Option<PathBuf>,

    /// The namespace of the transit engine.
    #[arg(long, value_name = "NAME", env = "VAULT_NAMESPACE")]
    key_namespace: Option<String>,

    /// Certificates (PEM) to trust for the key service, besides the public ones.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_KEY_CA")]
    key_ca: Option<PathBuf>,
}

/// The key-encryption key that replaces the present one: one of the four.
#[derive(Args, Default)]
pub(in crate::cli) struct NewKekArgs {
    /// The file with the key; created if missing.
    #[arg(long, value_name = "FILE")]
    to_key_file: Option<PathBuf>,
    /// The environment variable that holds the key (32 bytes in base64 or hex).
    #[arg(long, value_name = "NAME")]
    to_key_env: Option<String>,
    /// A key of AWS KMS: its ARN, id or alias.
    #[arg(long, value_name = "KEY")]
    to_key_kms: Option<KmsKey>,
    /// A key of a transit engine.
    #[arg(long, value_name = "URL")]
    to_key_transit: Option<TransitKey>,
    /// The file with that engine's token [default: as for the present key].
    #[arg(long, value_name = "FILE")]
    to_key_token_file: Option<PathBuf>,
    /// The namespace of that engine.
    #[arg(long, value_name = "NAME")]
    to_key_namespace: Option<String>,
    /// Certificates (PEM) to trust for that key service.
    #[arg(long, value_name = "FILE")]
    to_key_ca: Option<PathBuf>,
}

impl KekArgs {
    /// The configured provider; `None` if no key setting is given.
    pub(super) fn provider(self) -> Result<Option<KeyProvider>, CliError> {
        let named: Vec<&str> = [
            (self.key_file.is_some(), "key-file"),
            (self.key_env.is_some(), "key-env"),
            (self.key_kms.is_some(), "key-kms"),
            (self.key_transit.is_some(), "key-transit"),
        ]
        .into_iter()
        .filter_map(|(set, name)| set.then_some(name))
        .collect();
        if named.len() > 1 {
            return Err(
                format!("{} are set, and there is one key-encryption key: choose one", named.join(" and ")).into()
            );
        }
        if self.key_ca.is_some() && self.key_kms.is_none() && self.key_transit.is_none() {
            return Err("key-ca is set, and neither key-kms nor key-transit is: no key service uses it".into());
        }
        let provider = match self {
            Self { key_file: Some(path), .. } => KeyProvider::File(path),
            Self { key_env: Some(name), .. } => KeyProvider::Env(name),
            Self { key_kms: Some(key), key_ca: ca, .. } => KeyProvider::Kms { key, ca },
            Self { key_transit: Some(key), key_token_file, key_namespace, key_ca: ca, .. } => {
                let token = match key_token_file {
                    Some(_) if std::env::var_os(TOKEN).is_some() => {
                        return Err(format!("{TOKEN} and key-token-file are both set: choose one").into());
                    }
                    Some(path) => TokenSource::File(path),
                    None => TokenSource::Env(TOKEN.to_owned()),
                };
                let namespace = key_namespace.map(|name| name.trim_matches('/').to_owned());
                let namespace = namespace.filter(|name| !name.is_empty());
                KeyProvider::Transit(TransitSettings { key, token, namespace, ca })
            }
            _ => return Ok(None),
        };
        Ok(Some(provider))
    }
}

impl NewKekArgs {
    /// Whether any of these settings is set.
    pub(in crate::cli) fn is_given(&self) -> bool {
        !self.settings().is_empty()
    }

    /// The one provider, and the settings that a server has to be started with to use it.
    pub(in crate::cli) fn provider(self, present: &KekArgs) -> Result<(KeyProvider, String), CliError> {
        let settings = self.settings();
        let args = KekArgs {
            key_file: self.to_key_file,
            key_env: self.to_key_env,
            key_kms: self.to_key_kms,
            key_transit: self.to_key_transit,
            key_token_file: self.to_key_token_file.or_else(|| present.key_token_file.clone()),
            key_namespace: self.to_key_namespace,
            key_ca: self.to_key_ca,
        };
        match args.provider() {
            Ok(Some(provider)) => Ok((provider, settings)),
            Ok(None) => {
                Err("say which key is to take the present one's place: --to-key-file, --to-key-env, --to-key-kms \
                             or --to-key-transit"
                    .into())
            }
            Err(error) => Err(format!("of the new key, {error}").into()),
        }
    }

    fn settings(&self) -> String {
        let path = |path: &PathBuf| path.shown().to_string();
        [
            ("--key-file", self.to_key_file.as_ref().map(path)),
            ("--key-env", self.to_key_env.clone()),
            ("--key-kms", self.to_key_kms.as_ref().map(ToString::to_string)),
            ("--key-transit", self.to_key_transit.as_ref().map(ToString::to_string)),
            ("--key-token-file", self.to_key_token_file.as_ref().map(path)),
            ("--key-namespace", self.to_key_namespace.clone()),
            ("--key-ca", self.to_key_ca.as_ref().map(path)),
        ]
        .into_iter()
        .filter_map(|(flag, value)| value.map(|value| format!("{flag} {value}")))
        .collect::<Vec<_>>()
        .join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSIT: &str = "https://vault.example.com/v1/transit/keys/k";

    fn args(change: impl FnOnce(&mut KekArgs)) -> KekArgs {
        let mut args = KekArgs::default();
        change(&mut args);
        args
    }

    #[test]
    fn one_provider_is_decided_on_and_more_are_told() {
        assert_eq!(KekArgs::default().provider().unwrap(), None);
        let file = args(|args| args.key_file = Some("k".into()));
        assert_eq!(file.clone().provider().unwrap(), Some(KeyProvider::File("k".into())));
        let kms = args(|args| (args.key_kms, args.key_ca) = (Some("alias/k".parse().unwrap()), Some("ca.pem".into())));
        let key = KeyProvider::Kms { key: "alias/k".parse().unwrap(), ca: Some("ca.pem".into()) };
        assert_eq!(kms.clone().provider().unwrap(), Some(key));
        let transit = args(|args| {
            args.key_transit = Some(TRANSIT.parse().unwrap());
            args.key_token_file = Some("token".into());
            args.key_namespace = Some("team/".to_owned());
        });
        let Some(KeyProvider::Transit(settings)) = transit.clone().provider().unwrap() else {
            panic!("another provider")
        };
        assert_eq!(settings.token, TokenSource::File("token".into()));
        assert_eq!(settings.namespace.as_deref(), Some("team"));

        let three = KekArgs { key_kms: kms.key_kms, key_transit: transit.key_transit, ..file };
        let error = three.provider().unwrap_err().to_string();
        assert!(error.starts_with("key-file and key-kms and key-transit are set"), "{error}");
        let error = args(|args| args.key_ca = Some("ca.pem".into())).provider().unwrap_err().to_string();
        assert!(error.contains("no key service uses it"), "{error}");
    }

    #[test]
    fn a_new_key_is_told_in_the_words_of_the_server() {
        let present = args(|args| args.key_token_file = Some("token".into()));
        let to = NewKekArgs { to_key_transit: Some(TRANSIT.parse().unwrap()), ..NewKekArgs::default() };
        let (provider, settings) = to.provider(&present).unwrap();
        assert!(
            matches!(provider, KeyProvider::Transit(settings) if settings.token == TokenSource::File("token".into()))
        );
        assert_eq!(settings, format!("--key-transit {TRANSIT}"));
        assert!(NewKekArgs::default().provider(&present).is_err());
        let two =
            NewKekArgs { to_key_file: Some("k".into()), to_key_env: Some("K".to_owned()), ..NewKekArgs::default() };
        let error = two.provider(&present).unwrap_err().to_string();
        assert!(error.starts_with("of the new key, key-file and key-env are set"), "{error}");
    }
}
