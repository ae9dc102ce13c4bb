use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cargo::{Package, Toolchain, Workspace};
use super::component::{self, Change};
use super::error::BuildError;
use super::script;
use keyferry_types::ids::Slug;

/// What to build, and where to put it.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Which plugins to build.
    pub selection: Selection,
    /// The folder that `<slug>.wasm` goes into. It is made if it is not there.
    pub out: PathBuf,
}

/// Which plugins to build.
#[derive(Debug, Clone)]
pub enum Selection {
    /// The plugins in these folders: each holds a `Cargo.toml`, a `package.json` or a `pyproject.toml`.
    Packages(Vec<PathBuf>),
    /// Every member of the workspace in this folder that lies under its `plugins/`, is a cdylib, and depends on
    /// `keyferry-plugin`.
    All(PathBuf),
}

/// A component that has been built.
#[derive(Debug, Clone)]
pub struct BuiltPlugin {
    /// The app's name: the package's without `keyferry-`, or `slug` under `[package.metadata.keyferry]`.
    pub slug: Slug,
    /// Name of the package.
    pub package: String,
    /// Path of the component file.
    pub file: PathBuf,
    /// The component's SHA-256 in lower-case hexadecimal: what grants are bound to.
    pub sha256: String,
    /// Size of the component in bytes.
    pub bytes: u64,
    /// How the build changed the file.
    pub change: Change,
}

/// Builds plugins into components: the same source and toolchain give the same bytes in every folder.
///
/// Packages of one workspace are built by one run of cargo, whose progress and messages go to standard error. It blocks
/// for as long as that takes.
///
/// # Errors
/// The first thing that went wrong. Nothing is written unless everything compiled.
pub fn build(options: &BuildOptions) -> Result<Vec<BuiltPlugin>, BuildError> {
    build_then(options, || Ok(()))
}

/// [`build()`]; `before_writing` is called once everything has compiled, and an error of it is returned.
///
/// # Errors
/// As of [`build()`].
pub fn build_then<E: From<BuildError>>(
    options: &BuildOptions,
    before_writing: impl FnOnce() -> Result<(), E>,
) -> Result<Vec<BuiltPlugin>, E> {
    let components = compile(&options.selection)?;
    before_writing()?;
    let store = |(component, slug, package): (Vec<u8>, Slug, String)| {
        let (file, change) = component::store(&component, &options.out, &slug)?;
        let (sha256, bytes) = (component::sha256(&component), component.len() as u64);
        Ok(BuiltPlugin { slug, package, file, sha256, bytes, change })
    };
    Ok(components.into_iter().map(store).collect::<Result<_, BuildError>>()?)
}

/// The components of plugins, each with its slug and the name of its package.
fn compile(selection: &Selection) -> Result<Vec<(Vec<u8>, Slug, String)>, BuildError> {
    let Selected { crates, scripts } = select(selection)?;
    // Encoded before anything is written: the plugins folder then gets all of the components or none, as far as errors
    // can be foreseen.
    let mut components = Vec::new();
    for (workspace, packages) in crates {
        let toolchain = Toolchain::find(&workspace.workspace_root)?;
        for (package, module) in workspace.compile(&toolchain, &packages)? {
            components.push((component::encode(&package.name, &module)?, package.slug, package.name));
        }
    }
    for project in scripts {
        let built = script::build(&project)?;
        component::check(&project.name, &built)?;
        components.push((built, project.slug, project.name));
    }
    Ok(components)
}

/// The selected plugins, grouped by toolchain.
#[derive(Default)]
struct Selected {
    /// Packages by their workspace.
    crates: Vec<(Workspace, Vec<Package>)>,
    /// Plugins in JavaScript and Python.
    scripts: Vec<script::Project>,
}

fn select(selection: &Selection) -> Result<Selected, BuildError> {
    let mut selected = Selected::default();
    match selection {
        Selection::All(root) => {
            let workspace = Workspace::read(root)?;
            let plugins = workspace.plugins()?;
            if plugins.is_empty() {
                return Err(BuildError::NoPlugins(root.clone()));
            }
            selected.crates.push((workspace, plugins));
        }
        Selection::Packages(folders) => {
            for folder in folders {
                if folder.join("Cargo.toml").is_file() {
                    add_package(folder, &mut selected.crates)?;
                } else if let Some(project) = script::find(folder)? {
                    selected.scripts.push(project);
                } else {
                    return Err(BuildError::NoLanguage(folder.clone()));
                }
            }
        }
    }
    let crates =
        selected.crates.iter().flat_map(|(_, packages)| packages).map(|package| (&package.slug, &package.name));
    let scripts = selected.scripts.iter().map(|project| (&project.slug, &project.name));
    refuse_duplicate_slugs(crates.chain(scripts))?;
    Ok(selected)
}

/// Adds the package of a folder to those of its workspace, which is read only once.
fn add_package(folder: &Path, selected: &mut Vec<(Workspace, Vec<Package>)>) -> Result<(), BuildError> {
    for (workspace, packages) in selected.iter_mut() {
        if let Some(package) = workspace.package_in(folder)? {
            if !packages.iter().any(|other| other.id == package.id) {
                packages.push(package);
            }
            return Ok(());
        }
    }
    let workspace = Workspace::read(folder)?;
    let package = workspace.package_in(folder)?.ok_or_else(|| BuildError::NoPackage(folder.join("Cargo.toml")))?;
    selected.push((workspace, vec![package]));
    Ok(())
}

fn refuse_duplicate_slugs<'a>(packages: impl Iterator<Item = (&'a Slug, &'a String)>) -> Result<(), BuildError> {
    let mut seen = BTreeMap::new();
    for (slug, name) in packages {
        if let Some(first) = seen.insert(slug, name) {
            let (slug, second) = (slug.clone(), name.clone());
            return Err(BuildError::SameSlug { slug, first: first.clone(), second });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().unwrap()
    }

    /// The packages' names, one list a workspace.
    fn names(selection: Selection) -> Vec<Vec<String>> {
        let selected = select(&selection).unwrap().crates;
        selected.into_iter().map(|(_, packages)| packages.into_iter().map(|package| package.name).collect()).collect()
    }

    #[test]
    fn all_means_the_plugins_and_nothing_else_of_the_workspace() {
        let all = names(Selection::All(root()));
        let [plugins] = all.as_slice() else { panic!("{all:?}") };
        for name in ["keyferry-hubspot", "keyferry-netsuite", "keyferry-slack", "keyferry-stripe"] {
            assert!(plugins.iter().any(|plugin| plugin == name), "{plugins:?}");
        }
        for name in ["keyferry", "keyferry-plugin", "keyferry-tests"] {
            assert!(!plugins.iter().any(|plugin| plugin == name), "{plugins:?}");
        }
    }

    #[test]
    fn folders_of_one_workspace_are_built_together_and_once() {
        let folders = ["slack", "stripe", "../plugins/slack"].map(|plugin| root().join("plugins").join(plugin));
        assert_eq!(names(Selection::Packages(folders.to_vec())), [["keyferry-slack", "keyferry-stripe"]]);
    }

    #[test]
    fn what_is_no_plugin_is_refused_with_what_it_lacks() {
        let refused = |folder: PathBuf| select(&Selection::Packages(vec![folder])).map(|_| ()).unwrap_err();
        let error = refused(root().join("tests"));
        assert!(matches!(&error, BuildError::NotAPlugin { package, .. } if package == "keyferry-tests"), "{error}");
        assert!(error.to_string().contains("crate-type = [\"cdylib\"]"), "{error}");
        let error = refused(root());
        assert!(matches!(error, BuildError::NoPackage(_)), "{error}");
        let error = refused(root().join("not-there"));
        assert!(matches!(error, BuildError::NoLanguage(_)), "{error}");
    }
}
