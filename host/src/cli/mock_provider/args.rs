//! The flags of `keyferry mock-provider`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::duration;

#[derive(Args)]
pub(in crate::cli) struct MockProviderArgs {
    /// The apps [default: all shipped ones]; or a plugin of your own: a .wasm file, or a folder, which is built first.
    #[arg(value_name = "APP|FILE|DIR")]
    pub(super) apps: Vec<String>,
    /// All shipped apps.
    #[arg(long, conflicts_with = "apps")]
    pub(super) all: bool,
    /// Print all credentials, and write all into the sample: one for each case, instead of one for each auth type and outcome.
    #[arg(long)]
    pub(super) every_case: bool,
    /// Know these credentials too: CSV with the columns `slug`, `outcome` and one for each field.
    #[arg(long, value_name = "FILE")]
    pub(super) tokens: Option<PathBuf>,
    /// Write the sample file to import here [default: into a temporary folder].
    #[arg(long, value_name = "FILE")]
    pub(super) sample: Option<PathBuf>,
    /// Write the certificate of the throw-away authority here, and its key beside it with the ending `.key`; the authority whose key is
    /// there is used again [default: a new one, in a temporary folder].
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Listen on this port of 127.0.0.1 [default: a free one].
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(super) port: u16,
    /// Delay each response: 200ms, 2s.
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = duration::parse)]
    pub(super) latency: Duration,
    /// Respond with 503 to every request, or to those to these apps. Separate several by commas.
    #[arg(long, value_name = "APP", num_args = 0..=1, value_delimiter = ',')]
    pub(super) outage: Option<Vec<String>>,
    /// How long a rate limit lasts after the first request with its credential.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::parse)]
    pub(super) retry_after: Duration,
    /// The folder of the cases (*.toml) of the one app.
    #[arg(long, value_name = "DIR")]
    pub(super) cases: Option<PathBuf>,
    /// The plugin folder [default: plugins in the data folder of KEYFERRY_DATA or ./keyferry-data; in a checkout, plugins are built if
    /// that has none].
    #[arg(long, value_name = "DIR", env = "KEYFERRY_PLUGINS")]
    pub(super) plugins: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}
