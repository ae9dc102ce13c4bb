use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::cache::CacheKey;
use super::install;
use super::project::{Project, Script, slug};
use super::sources::Sources;
use super::tool::run;
use crate::error::BuildError;
use keyferry_types::path_text::ShowPath as _;

pub(super) const MANIFEST: &str = "package.json";

/// The package on the npm registry, and its command.
const TOOL: &str = "@bytecodealliance/componentize-js";
const COMMAND: &str = "src/cli.js";

/// Everything of WASI is left out, so that the component imports the contract alone
/// (<https://github.com/bytecodealliance/ComponentizeJS#options>).
const ARGUMENTS: [&str; 12] =
    ["-n", "plugin", "-d", "stdio", "-d", "random", "-d", "clocks", "-d", "http", "-d", "fetch-event"];

#[derive(Deserialize)]
struct Manifest {
    name: String,
    #[serde(default)]
    version: String,
    main: Option<String>,
    #[serde(default)]
    keyferry: Keyferry,
}

#[derive(Default, Deserialize)]
struct Keyferry {
    slug: Option<String>,
}

fn read(path: &Path) -> Result<Manifest, BuildError> {
    let text = fs::read_to_string(path).map_err(BuildError::file(path))?;
    serde_json::from_str(&text)
        .map_err(|error| BuildError::BadManifest { manifest: path.to_owned(), problem: error.to_string() })
}

pub(super) fn project(folder: &Path) -> Result<Project, BuildError> {
    let manifest = folder.join(MANIFEST);
    let Manifest { name, main, keyferry, .. } = read(&manifest)?;
    let slug = slug(&manifest, keyferry.slug.as_deref(), &name)?;
    let entry = main.unwrap_or_else(|| "plugin.js".to_owned());
    let entry = entry.strip_prefix("./").unwrap_or(&entry).to_owned();
    if !folder.join(&entry).is_file() {
        let problem = format!("`main` names {entry}, and there is no such file");
        return Err(BuildError::BadManifest { manifest, problem });
    }
    Ok(Project { folder: folder.to_owned(), script: Script::JavaScript, slug, name, entry })
}

pub(super) fn build(project: &Project, sources: &Sources) -> Result<Vec<u8>, BuildError> {
    let tool = find(&project.folder)?;
    let version = read(&tool.join(MANIFEST))?.version;
    let key = CacheKey { tool: format!("{TOOL} {version} {}", project.entry), arguments: &ARGUMENTS, sources };
    if let Some(component) = key.load() {
        return Ok(component);
    }
    let staging = tempfile::tempdir().map_err(BuildError::file("a temporary folder"))?;
    let folder = sources.stage(staging.path())?;
    let out = staging.path().join("out.wasm");
    let mut node = Command::new("node");
    node.current_dir(&folder).arg(tool.join(COMMAND)).arg(&project.entry).args(ARGUMENTS);
    // A relative path would be looked for elsewhere.
    node.arg("-w").arg(staging.path().join("wit/plugin.wit")).arg("-o").arg(&out);
    run(node, TOOL, &project.folder, || BuildError::NoTool {
        tool: "node",
        language: "JavaScript",
        install: "your distribution's package of Node.js 20 or later, or https://nodejs.org".to_owned(),
    })?;
    let component = fs::read(&out).map_err(BuildError::file(&out))?;
    key.store(&component);
    Ok(component)
}

/// Where the tool is installed: in the folder, or in one above it, as Node.js looks for it.
fn find(folder: &Path) -> Result<PathBuf, BuildError> {
    let absolute = std::path::absolute(folder).map_err(BuildError::file(folder))?;
    let installed = absolute.ancestors().map(|folder| folder.join("node_modules").join(TOOL));
    installed.into_iter().find(|path| path.join(COMMAND).is_file()).ok_or_else(|| BuildError::NoTool {
        tool: TOOL,
        language: "JavaScript",
        install: install::npm(folder.shown()),
    })
}
