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
    let Selected { crates, scripts } = select(&options.selection)?;
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
    let store = |(component, slug, package): (Vec<u8>, Slug, String)| {
        let (file, change) = component::store(&component, &options.out, &slug)?;
        let (sha256, bytes) = (component::sha256(&component), component.len() as u64);
        Ok(BuiltPlugin { slug, package, file, sha256, bytes, change })
    };
    components.into_iter().map(store).collect()
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
    use std::fs;

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

    /// A copy of what the plugins are built from, in a folder of its own.
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let (name, target) = (entry.file_name(), to.join(entry.file_name()));
            if name.to_string_lossy().starts_with('.') || name == "target" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }

    #[test]
    fn plugins_import_the_contract_alone_and_come_out_the_same_in_any_folder() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("some/where else");
        copy(&root(), &elsewhere);
        let build = |root: PathBuf, out: &str| {
            build(&BuildOptions { selection: Selection::All(root), out: folder.path().join(out) }).unwrap()
        };
        let here = build(root(), "here");
        for plugin in &here {
            println!("{} {} bytes {}", plugin.slug, plugin.bytes, plugin.sha256);
            // A plugin that draws no random bytes imports no `random`.
            let beyond: Vec<_> = imports(&plugin.file).into_iter().filter(|name| !contract().contains(name)).collect();
            assert!(beyond.is_empty(), "{} imports {beyond:?}", plugin.slug);
        }
        let digests = |plugins: &[BuiltPlugin]| plugins.iter().map(|plugin| plugin.sha256.clone()).collect::<Vec<_>>();
        assert_eq!(digests(&build(elsewhere, "there")), digests(&here));

        let began = std::time::Instant::now();
        let again = build(root(), "here");
        println!("nothing to do: {:?}", began.elapsed());
        assert!(again.iter().all(|plugin| plugin.change == Change::Unchanged));
    }

    fn contract() -> Vec<String> {
        ["clock", "http", "log", "random", "secrets"].map(|name| format!("keyferry:plugin/{name}@1.0.0")).to_vec()
    }

    /// The interfaces of the contract that a component imports, and its other imports.
    fn imports(component: &Path) -> Vec<String> {
        let decoded = wit_component::decode(&fs::read(component).unwrap()).unwrap();
        let wit_component::DecodedWasm::Component(resolve, world) = &decoded else { panic!("no component") };
        let world = &resolve.worlds[*world];
        let mut names: Vec<_> = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
        names.sort();
        names
    }
}
