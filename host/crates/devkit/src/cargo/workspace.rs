use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::toolchain::Toolchain;
use super::{TARGET, environment};
use crate::BuildError;
use keyferry_types::ids::Slug;

/// A package that can be built into a plugin.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) slug: Slug,
}

/// A workspace, or a package that is its own: `cargo metadata --no-deps`.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    id: String,
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    path: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    keyferry: KeyferryMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeyferryMetadata {
    slug: Option<String>,
}

impl Workspace {
    /// The workspace that the manifest in a folder belongs to.
    pub(crate) fn read(folder: &Path) -> Result<Self, BuildError> {
        let manifest = folder.join("Cargo.toml");
        let failed = |said: String| BuildError::Manifest { manifest: manifest.clone(), said };
        // Looked for first: the folder is where cargo is started, and a missing one would read as a missing cargo.
        if !manifest.is_file() {
            return Err(failed("there is no such file".to_owned()));
        }
        let mut cargo = environment::command("cargo", folder);
        cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
        let output = cargo.output().map_err(|source| BuildError::NoRust { program: "cargo", source })?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| BuildError::UnknownOutput { command: "cargo metadata", said: error.to_string() })
    }

    /// The package whose manifest lies in a folder, if it is of this workspace.
    pub(crate) fn package_in(&self, folder: &Path) -> Result<Option<Package>, BuildError> {
        let wanted = folder.canonicalize().map_err(BuildError::file(folder))?;
        let is_there = |member: &&Member| member.folder().canonicalize().is_ok_and(|folder| folder == wanted);
        self.packages.iter().find(is_there).map(Member::plugin).transpose()
    }

    /// The folder of the member with a name.
    pub(crate) fn folder_of(&self, name: &str) -> Option<PathBuf> {
        self.packages.iter().find(|member| member.name == name).map(|member| member.folder().to_owned())
    }

    /// Every member under `plugins/` that is a plugin.
    pub(crate) fn plugins(&self) -> Result<Vec<Package>, BuildError> {
        let folder = self.workspace_root.join("plugins");
        let is_plugin = |member: &&Member| {
            member.manifest_path.starts_with(&folder) && member.is_cdylib() && member.depends_on("keyferry-plugin")
        };
        self.packages.iter().filter(is_plugin).map(Member::plugin).collect()
    }

    /// Compiles packages of this workspace, each into the module that comes with it.
    pub(crate) fn compile(
        &self,
        toolchain: &Toolchain,
        packages: &[Package],
    ) -> Result<Vec<(Package, PathBuf)>, BuildError> {
        let failed = || BuildError::Compile(packages.iter().map(|package| package.name.clone()).collect());
        let mut cargo = self.build_command(toolchain, packages);
        cargo.stdout(Stdio::piped());
        let mut child = cargo.spawn().map_err(|source| BuildError::NoRust { program: "cargo", source })?;
        let messages = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        let mut modules: BTreeMap<String, PathBuf> =
            messages.map_while(Result::ok).filter_map(|line| module(&line)).collect();
        let status = child.wait().map_err(|source| BuildError::NoRust { program: "cargo", source })?;
        if !status.success() {
            return Err(failed());
        }
        let with_module = |package: &Package| match modules.remove(&package.id) {
            Some(module) => Ok((package.clone(), module)),
            None => Err(BuildError::NoModule(package.name.clone())),
        };
        packages.iter().map(with_module).collect()
    }

    fn build_command(&self, toolchain: &Toolchain, packages: &[Package]) -> Command {
        let mut cargo = environment::command("cargo", &self.workspace_root);
        cargo.args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"]);
        // A folder of its own: neither the lock nor the artefacts are those of the developer's other builds.
        cargo.arg("--target-dir").arg(self.target_directory.join("plugins"));
        for package in packages {
            cargo.args(["-p", &package.name]);
        }
        // Fast before small: a component is compiled once and called for each credential.
        for setting in ["opt-level=2", "lto=\"fat\"", "codegen-units=1", "strip=true", "panic=\"abort\"", "debug=false"]
        {
            cargo.arg("--config").arg(format!("profile.release.{setting}"));
        }
        cargo.env("CARGO_INCREMENTAL", "0").env("CARGO_ENCODED_RUSTFLAGS", self.rustflags(toolchain));
        cargo
    }

    /// Replaces folders that are part of a module (a panic message has its source file) by names that are the same everywhere.
    fn rustflags(&self, toolchain: &Toolchain) -> OsString {
        let outside = self.packages.iter().flat_map(|member| &member.dependencies).filter_map(|dependency| {
            let path = dependency.path.as_ref().filter(|path| !path.starts_with(&self.workspace_root))?;
            Some((path.as_path(), format!("/dependency/{}", dependency.name)))
        });
        let workspace = [(self.workspace_root.as_path(), "/plugin".to_owned())];
        let mut flags = OsString::new();
        for (folder, name) in toolchain.folders().chain(workspace).chain(outside) {
            if !flags.is_empty() {
                // Cargo's separator: <https://doc.rust-lang.org/cargo/reference/environment-variables.html>.
                flags.push("\u{1f}");
            }
            flags.push("--remap-path-prefix=");
            flags.push(folder);
            flags.push("=");
            flags.push(name);
        }
        flags
    }
}

impl Member {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    fn is_cdylib(&self) -> bool {
        self.targets.iter().any(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
    }

    fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == name)
    }

    fn plugin(&self) -> Result<Package, BuildError> {
        if !self.is_cdylib() {
            let (package, manifest) = (self.name.clone(), self.manifest_path.clone());
            let lacks = "add `crate-type = [\"cdylib\"]` under [lib]";
            return Err(BuildError::NotAPlugin { package, manifest, lacks });
        }
        let named = self.metadata.as_ref().and_then(|metadata| metadata.keyferry.slug.as_deref());
        let slug = named.unwrap_or_else(|| self.name.strip_prefix("keyferry-").unwrap_or(&self.name));
        match slug.parse() {
            Ok(slug) => Ok(Package { id: self.id.clone(), name: self.name.clone(), slug }),
            Err(source) => Err(BuildError::Slug { package: self.name.clone(), source }),
        }
    }
}

/// The package's id and the module's file, if a line of cargo's output is about a module.
fn module(line: &str) -> Option<(String, PathBuf)> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
        package_id: String,
        target: Target,
        filenames: Vec<PathBuf>,
    }

    let message: Message = serde_json::from_str(line).ok()?;
    if message.reason != "compiler-artifact" || !message.target.crate_types.iter().any(|kind| kind == "cdylib") {
        return None;
    }
    let file =
        message.filenames.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "wasm"))?;
    Some((message.package_id, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, metadata: &str) -> Member {
        let text = format!(
            r#"{{"id":"path+file:///w/{name}","name":"{name}","manifest_path":"/w/{name}/Cargo.toml","metadata":{metadata},
                "targets":[{{"crate_types":["cdylib"]}}],"dependencies":[{{"name":"keyferry-plugin","path":"/sdk"}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_slug_is_the_packages_name_unless_its_metadata_says_otherwise() {
        let cases = [
            ("keyferry-slack", "null", "slack"),
            ("acme", "{}", "acme"),
            ("acme", r#"{"docs":{"rs":{}}}"#, "acme"),
            ("keyferry-acme_legacy", r#"{"keyferry":{"slug":"acme-legacy"}}"#, "acme-legacy"),
        ];
        for (name, metadata, slug) in cases {
            assert_eq!(member(name, metadata).plugin().unwrap().slug.as_str(), slug, "{name} {metadata}");
        }
        let error = member("keyferry-acme_legacy", "null").plugin().unwrap_err();
        assert!(matches!(error, BuildError::Slug { .. }), "{error}");
    }

    #[test]
    fn a_module_is_found_among_what_cargo_writes() {
        let artefact = r#"{"reason":"compiler-artifact","package_id":"a","target":{"kind":["cdylib"],"crate_types":["cdylib"]},
            "filenames":["/t/a.d","/t/a.wasm"],"fresh":true}"#;
        assert_eq!(module(artefact), Some(("a".to_owned(), PathBuf::from("/t/a.wasm"))));
        for other in [
            r#"{"reason":"build-finished","success":true}"#,
            r#"{"reason":"compiler-artifact","package_id":"b","target":{"crate_types":["lib"]},"filenames":["/t/b.rlib"]}"#,
            r#"{"reason":"compiler-artifact","package_id":"c","target":{"crate_types":["cdylib"]},"filenames":["/t/c.so"]}"#,
            "warning: not JSON",
        ] {
            assert_eq!(module(other), None, "{other}");
        }
    }

    #[test]
    fn every_folder_outside_the_workspace_gets_a_name_of_its_own() {
        let packages = vec![member("acme", "null")];
        let workspace = Workspace { workspace_root: "/w".into(), target_directory: "/w/target".into(), packages };
        let flags = workspace.rustflags(&Toolchain::for_tests()).into_string().unwrap();
        let flags: Vec<_> = flags.split('\u{1f}').collect();
        assert!(flags.contains(&"--remap-path-prefix=/w=/plugin"), "{flags:?}");
        assert!(flags.contains(&"--remap-path-prefix=/sdk=/dependency/keyferry-plugin"), "{flags:?}");
        assert!(flags.iter().all(|flag| flag.starts_with("--remap-path-prefix=/")), "{flags:?}");
    }
}
