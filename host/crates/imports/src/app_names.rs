//! The app that a file means by a slug, and which of its slugs messages may repeat.

use super::input::{NameMatch, Names, Row, fold, looks_secret, match_name, usual};
use keyferry_service::{CredentialService, ServiceError};
use keyferry_types::echo::safe_name;
use keyferry_types::ids::Slug;

/// The app that a file means by a slug.
pub(super) enum AppMeant {
    /// The app is installed.
    Known(String),
    /// An installed app has a similar name.
    Near(String),
    /// No app has that name, or a similar one.
    Unknown,
}

/// The app that a slug means. It may differ from the app's slug or name in case and separators: `HubSpot`.
pub(super) fn app_meant(credentials: &CredentialService, written: &str) -> AppMeant {
    if !matches!(credentials.app(written), Err(ServiceError::UnknownApp { .. })) {
        return AppMeant::Known(written.to_owned());
    }
    let apps = credentials.apps();
    let by_slug = match_name(written, apps.iter().map(|app| app.description.slug.as_str()));
    let by_name = || {
        let folded = fold(written);
        let mut named = apps.iter().filter(|app| fold(&app.description.name) == folded);
        let one = named.next()?;
        named.next().is_none().then(|| one.description.slug.to_string())
    };
    match by_slug {
        NameMatch::Same(slug) => AppMeant::Known(slug.to_owned()),
        NameMatch::Near(slug) => by_name().map_or_else(|| AppMeant::Near(slug.to_owned()), AppMeant::Known),
        NameMatch::Unknown => by_name().map(AppMeant::Known).unwrap_or_else(|| {
            let usual = usual(written).filter(|slug| apps.iter().any(|app| app.description.slug.as_str() == *slug));
            usual.map_or(AppMeant::Unknown, |slug| AppMeant::Near(slug.to_owned()))
        }),
    }
}

/// The text of a slug for messages: the slug itself if an installed app has it or a similar one, or if it has the form of a name.
/// Anything else could be a secret in the wrong column, and is masked.
pub(super) fn shown_slug(credentials: &CredentialService, slug: &str) -> String {
    let apps = credentials.apps();
    safe_name(slug, apps.iter().map(|app| app.description.slug.as_str())).to_owned()
}

/// Whether a row's value for its app can be shown though no installed app has that name: it is a usual name of an app, or the
/// row is of another system, which has the name of its app there, and the value does not look like a secret.
pub(super) fn is_name_of_app(row: &Row) -> bool {
    let is_theirs = matches!(row.names, Names::Foreign { .. }) && row.slug.parse::<Slug>().is_ok();
    usual(&row.slug).is_some() || is_theirs && !looks_secret("", &row.slug)
}
