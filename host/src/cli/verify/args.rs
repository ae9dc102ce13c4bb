//! The arguments of `keyferry verify`.

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args};

use crate::cli::api_client::ServerArgs;

#[derive(Args)]
#[command(group = ArgGroup::new("which").args(["account", "all", "app", "id"]).required(true).multiple(true))]
pub(in crate::cli) struct VerifyArgs {
    /// Your own id of a linked account.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    account: Option<String>,

    /// The app; without it, all apps of the account.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    slug: Option<String>,

    /// All credentials of the API key's environment.
    #[arg(long, conflicts_with_all = ["account", "id"])]
    all: bool,

    /// Only credentials of this app.
    #[arg(long, value_name = "SLUG", conflicts_with = "slug", value_parser = NonEmptyStringValueParser::new())]
    app: Option<String>,

    /// Only credentials of this linked account.
    #[arg(long = "account", id = "id", value_name = "ID", conflicts_with = "account", value_parser = NonEmptyStringValueParser::new())]
    id: Option<String>,

    /// Print only credentials that are not verified. All of them are counted.
    #[arg(long)]
    pub(super) only_failed: bool,

    /// Credentials that are verified at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) parallel: u8,

    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// The credentials to verify: all, or those of an account, of an app, or of both.
pub(super) struct Selection {
    pub(super) account: Option<String>,
    pub(super) app: Option<String>,
}

impl VerifyArgs {
    pub(super) fn selection(&self) -> Selection {
        Selection {
            account: self.account.clone().or_else(|| self.id.clone()),
            app: self.slug.clone().or_else(|| self.app.clone()),
        }
    }
}
