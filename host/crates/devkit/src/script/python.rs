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

pub(super) const MANIFEST: &str = "pyproject.toml";

/// The package on PyPI, and its command.
const TOOL: &str = "componentize-py";

/// `--stub-wasi` answers WASI inside of the component, so that it imports the contract alone.
const ARGUMENTS: [&str; 2] = ["componentize", "--stub-wasi"];

#[derive(Deserialize)]
struct Manifest {
    project: Package,
    #[serde(default)]
    tool: Tools,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Default, Deserialize)]
struct Tools {
    #[serde(default)]
    keyferry: Keyferry,
}

#[derive(Default, Deserialize)]
struct Keyferry {
    slug: Option<String>,
    module: Option<String>,
}

pub(super) fn project(folder: &Path) -> Result<Project, BuildError> {
    let manifest = folder.join(MANIFEST);
    let text = fs::read_to_string(&manifest).map_err(BuildError::file(&manifest))?;
    let bad = |problem: String| BuildError::BadManifest { manifest: manifest.clone(), problem };
    let Manifest { project, tool } = toml::from_str(&text).map_err(|error| bad(error.message().to_owned()))?;
    let slug = slug(&manifest, tool.keyferry.slug.as_deref(), &project.name)?;
    let entry = tool.keyferry.module.unwrap_or_else(|| "app".to_owned());
    if !folder.join(format!("{entry}.py")).is_file() {
        return Err(bad(format!("`module` under [tool.keyferry] names {entry}, and there is no {entry}.py")));
    }
    Ok(Project { folder: folder.to_owned(), script: Script::Python, slug, name: project.name, entry })
}

pub(super) fn build(project: &Project, sources: &Sources) -> Result<Vec<u8>, BuildError> {
    let program = find(&project.folder);
    let missing =
        || BuildError::NoTool { tool: TOOL, language: "Python", install: install::pip(project.folder.shown()) };
    let mut version = Command::new(&program);
    version.arg("--version");
    let version = run(version, TOOL, &project.folder, missing)?;
    let key = CacheKey { tool: format!("{version} {}", project.entry), arguments: &ARGUMENTS, sources };
    if let Some(component) = key.load() {
        return Ok(component);
    }
    let staging = tempfile::tempdir().map_err(BuildError::file("a temporary folder"))?;
    let folder = sources.stage(staging.path())?;
    let out = staging.path().join("out.wasm");
    let mut python = Command::new(&program);
    python.current_dir(staging.path()).args(["-q", "-w", "plugin", "-d"]).arg(staging.path().join("wit"));
    python.args(ARGUMENTS).arg("-p").arg(&folder).arg(&project.entry).arg("-o").arg(&out);
    python.env_remove("PYTHONPATH").env_remove("VIRTUAL_ENV").env("PYTHONHASHSEED", "0");
    run(python, TOOL, &project.folder, missing)?;
    let component = fs::read(&out).map_err(BuildError::file(&out))?;
    key.store(&component);
    Ok(component)
}

/// The command of the folder's virtual environment, or else the one on PATH.
fn find(folder: &Path) -> PathBuf {
    let own = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).join(".venv/bin").join(TOOL);
    if own.is_file() { own } else { PathBuf::from(TOOL) }
}
