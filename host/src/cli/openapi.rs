//! `keyferry openapi`: prints the OpenAPI document.

use super::config::ServeArgs;
use super::error::CliResult;
use super::exit::Exit;
use super::server::registry;
use super::term;
use keyferry_api::description_of;
use keyferry_sandbox::SandboxLimits;

/// Prints what `serve` with the same settings serves at `/openapi.json`. Takes the same flags, because plugins and grants
/// determine the document.
pub(super) async fn run(args: ServeArgs) -> CliResult {
    let settings = args.preview()?;
    // Nothing is verified here: one slot is enough to call `describe` of each plugin.
    let limits = SandboxLimits { slots: 1, ..settings.limits };
    // A server would create the folder, and have no apps.
    let mut apps = match settings.folders.plugins.exists() {
        true => registry(&settings.folders, settings.grants, limits, settings.egress, None).await?.apps(),
        false => Vec::new(),
    };
    apps.retain(|app| !settings.policy.is_custom(app.description.slug.as_str()));
    term::print(&format!("{:#}", description_of(&apps)));
    Ok(Exit::Done)
}
