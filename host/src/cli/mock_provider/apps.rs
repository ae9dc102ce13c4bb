//! Which plugins are meant, and where their files and cases are.

use std::path::{Path, PathBuf};

use super::args::MockProviderArgs;
use super::problem::Problem;
use crate::cli::term;
use keyferry_devkit::cases::mock::{shipped_apps, shipped_cases};
use keyferry_devkit::cases::{Case, find as find_cases, load, unknown_name};
use keyferry_devkit::{BuildOptions, Selection, Source, build};
use keyferry_types::path_text::ShowPath as _;

/// A plugin and its cases.
pub(super) struct App {
    /// Its slug or the path of its file.
    pub(super) name: String,
    pub(super) component: Vec<u8>,
    pub(super) cases: Vec<Case>,
}

/// The plugins that are meant.
pub(super) struct Apps {
    pub(super) found: Vec<App>,
    /// The plugin folder for the server, unless it is the one that it takes by default.
    pub(super) plugins: Option<PathBuf>,
}

/// Finds the plugins. Those that have to be built are built into `folder`.
pub(super) async fn find(args: &MockProviderArgs, folder: &Path) -> Result<Apps, Problem> {
    let (own, mut slugs): (Vec<&String>, Vec<&String>) = args.apps.iter().partition(|name| is_path(name));
    slugs.sort();
    slugs.dedup();
    let mut apps = Apps { found: Vec::new(), plugins: args.plugins.clone() };
    if !slugs.is_empty() || own.is_empty() {
        let data = std::env::var_os("KEYFERRY_DATA").map_or_else(|| PathBuf::from("keyferry-data"), PathBuf::from);
        let usual = data.join("plugins");
        let mut plugins = args.plugins.clone().unwrap_or(usual);
        check_names(&slugs, &plugins)?;
        if args.plugins.is_none() && in_folder(&plugins).is_empty() {
            plugins = built(&slugs, folder, &plugins).await?;
            apps.plugins = Some(plugins.clone());
        }
        for slug in chosen(&slugs, &plugins)? {
            let file = plugins.join(format!("{slug}.wasm"));
            let source = Source::open(&file).map_err(|error| Problem::Input(error.to_string()))?;
            let cases = cases(args, Some(&slug), &source)?;
            apps.found.push(App { name: slug, component: source.component, cases });
        }
    }
    for path in own {
        let path = PathBuf::from(path);
        let source = tokio::task::spawn_blocking(move || Source::open(&path)).await?;
        let source = source.map_err(|error| Problem::Input(error.to_string()))?;
        let cases = cases(args, None, &source)?;
        let name = source.path.shown().to_string();
        apps.found.push(App { name, component: source.component, cases });
    }
    if args.cases.is_some() && apps.found.len() > 1 {
        let problem = "--cases has the cases of one app; name that app alone";
        return Err(Problem::Input(problem.to_owned()));
    }
    Ok(apps)
}

/// Whether a name is the path of a plugin rather than a slug.
fn is_path(name: &str) -> bool {
    let path = Path::new(name);
    name.contains('/') || name == "." || name == ".." || path.extension().is_some_and(|extension| extension == "wasm")
}

/// The slugs of the plugins in a folder.
fn in_folder(plugins: &Path) -> Vec<String> {
    let files = std::fs::read_dir(plugins).into_iter().flatten().flatten().map(|entry| entry.path());
    let plugins = files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    let mut slugs: Vec<String> = plugins.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
    slugs.sort();
    slugs
}

/// Refuses names that no app has.
fn check_names(slugs: &[&String], plugins: &Path) -> Result<(), Problem> {
    let mut known: Vec<String> = shipped_apps().map(str::to_owned).chain(in_folder(plugins)).collect();
    known.sort();
    known.dedup();
    let Some(unknown) = slugs.iter().find(|slug| !known.contains(slug)) else { return Ok(()) };
    let folder = plugins.shown();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(Problem::Input(format!(
        "{}. A plugin of your own is one of them once its file is in {folder}; or name its path: ./{unknown}",
        unknown_name("app", unknown, &known)
    )))
}

/// The named apps, or the shipped ones that the folder has.
fn chosen(slugs: &[&String], plugins: &Path) -> Result<Vec<String>, Problem> {
    let there = in_folder(plugins);
    let wanted: Vec<String> = match slugs {
        [] => shipped_apps().map(str::to_owned).collect(),
        slugs => slugs.iter().map(|slug| (*slug).clone()).collect(),
    };
    let (found, missing): (Vec<String>, Vec<String>) = wanted.into_iter().partition(|slug| there.contains(slug));
    if missing.is_empty() {
        return Ok(found);
    }
    let folder = plugins.shown();
    let missing = missing.join(", ");
    let what = format!(
        "{folder} has no plugin of {missing}; in a checkout, `keyferry plugin build --all --out {folder}` builds them"
    );
    if slugs.is_empty() && !found.is_empty() {
        term::warning(&what);
        return Ok(found);
    }
    Err(Problem::Input(what))
}

/// Builds plugins from the checkout that the working folder is in.
async fn built(slugs: &[&String], folder: &Path, usual: &Path) -> Result<PathBuf, Problem> {
    let here = std::env::current_dir()?;
    let Some(root) = here.ancestors().find(|folder| folder.join("plugins/hubspot/Cargo.toml").is_file()) else {
        return Err(Problem::Input(format!(
            "{} has no plugins, and {} is not in a checkout of Keyferry's sources to build them from; --plugins names a folder \
             with built plugins",
            usual.shown(),
            here.shown()
        )));
    };
    term::progress("building the plugins (the first time takes a minute)");
    let out = folder.join("plugins");
    let selection = match slugs {
        [] => Selection::All(root.to_owned()),
        slugs => Selection::Packages(slugs.iter().map(|slug| root.join("plugins").join(slug)).collect()),
    };
    let options = BuildOptions { selection, out: out.clone() };
    tokio::task::spawn_blocking(move || build(&options)).await??;
    Ok(out)
}

/// The cases of a plugin: those of `--cases`, those beside its file, or those that the program carries.
fn cases(args: &MockProviderArgs, slug: Option<&str>, source: &Source) -> Result<Vec<Case>, Problem> {
    let input = |error: keyferry_devkit::cases::CaseError| Problem::Input(error.to_string());
    if args.cases.is_none()
        && !source.cases.is_dir()
        && let Some(cases) = slug.and_then(shipped_cases)
    {
        return Ok(cases?);
    }
    let folder = args.cases.as_ref().unwrap_or(&source.cases);
    find_cases(folder).map_err(input)?.iter().map(|file| load(file).map_err(input)).collect()
}
