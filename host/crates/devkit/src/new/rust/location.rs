use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use super::{lock, sdk};
use crate::cargo::Workspace;
use crate::new::NewError;
use crate::new::template::{Files, Tokens};
use keyferry_types::ids::Slug;

/// The name of the SDK's package.
const SDK: &str = "keyferry-plugin";

/// The workspace, if any, in which a new Rust plugin lies, and the SDK that it uses.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::new) struct Location {
    sdk: Sdk,
    membership: Membership,
}

#[derive(Debug, PartialEq, Eq)]
enum Sdk {
    /// The plugin contains a copy of the SDK.
    Own,
    /// The SDK of the workspace, at this path from the plugin.
    At(PathBuf),
}

/// Cargo wants every package below a workspace to be a member of it or a workspace of its own.
#[derive(Debug, PartialEq, Eq)]
enum Membership {
    /// It needs no entry in another workspace: it builds without a change.
    OwnWorkspace,
    /// The workspace around it takes every folder there for a member.
    Member,
}

impl Location {
    /// The location of a folder, which may not exist yet.
    pub(in crate::new) fn detect(folder: &Path) -> Result<Self, NewError> {
        let folder = canonical(folder)?;
        let Some((root, workspace)) = folder.ancestors().skip(1).find_map(workspace) else {
            return Ok(Self { sdk: Sdk::Own, membership: Membership::OwnWorkspace });
        };
        let below = folder.strip_prefix(root).unwrap_or(&folder);
        let listed = |list: &str| workspace.get(list).and_then(Value::as_array).into_iter().flatten();
        let is_member = listed("members").filter_map(Value::as_str).any(|pattern| matches(pattern, below));
        let is_excluded = listed("exclude").filter_map(Value::as_str).any(|path| below.starts_with(path));
        let membership = if is_member && !is_excluded { Membership::Member } else { Membership::OwnWorkspace };
        // Where cargo cannot make sense of the workspace, the plugin brings its own SDK.
        let sdk = Workspace::read(root).ok().and_then(|workspace| workspace.folder_of(SDK));
        let sdk = sdk.map_or(Sdk::Own, |sdk| Sdk::At(relative(&folder, &sdk)));
        Ok(Self { sdk, membership })
    }

    /// Adds the tokens of the manifest that depend on the location.
    pub(in crate::new) fn tokens(&self, tokens: Tokens) -> Tokens {
        let sdk = match &self.sdk {
            Sdk::Own => "sdk".to_owned(),
            Sdk::At(path) => path.to_string_lossy().into_owned(),
        };
        let workspace = match (&self.membership, &self.sdk) {
            (Membership::Member, _) => "",
            (Membership::OwnWorkspace, Sdk::Own) => {
                "\n# A workspace of its own, in every folder.\n[workspace]\nexclude = [\"sdk\"]"
            }
            (Membership::OwnWorkspace, Sdk::At(_)) => {
                "\n# Of its own. Take this line away to make the plugin a member of the workspace around it.\n[workspace]"
            }
        };
        tokens.and("__SDK__", Value::String(sdk).to_string()).and("__WORKSPACE__", workspace.to_owned())
    }

    /// The plugin's files besides those of the template.
    pub(in crate::new) fn files(&self, slug: &Slug) -> Result<Files, NewError> {
        let mut files = Files::new();
        if self.sdk == Sdk::Own {
            files.extend(sdk::files()?.into_iter().map(|(path, contents)| (Path::new("sdk").join(path), contents)));
        }
        // The versions of a member are in the manifest of its workspace.
        if self.membership == Membership::OwnWorkspace {
            files.insert("Cargo.lock".into(), lock::file(slug)?);
        }
        Ok(files)
    }
}

/// A path without links and `..`, of which the last parts need not be there.
fn canonical(path: &Path) -> Result<PathBuf, NewError> {
    let path = std::path::absolute(path).map_err(NewError::file(path))?;
    let there = path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    let Some((ancestor, canonical)) = there else { return Ok(path) };
    Ok(path.strip_prefix(ancestor).map_or_else(|_| path.clone(), |rest| canonical.join(rest)))
}

/// The folder, and what its manifest says under `[workspace]`, where it does.
fn workspace(folder: &Path) -> Option<(&Path, Table)> {
    let text = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let manifest: Table = toml::from_str(&text).ok()?;
    Some((folder, manifest.get("workspace")?.as_table()?.clone()))
}

/// Whether a pattern of `members` covers a path: `*` stands for any part of one component.
fn matches(pattern: &str, path: &Path) -> bool {
    let pattern: Vec<_> = Path::new(pattern).components().filter(|part| *part != Component::CurDir).collect();
    let path: Vec<_> = path.components().collect();
    pattern.len() == path.len()
        && pattern.iter().zip(path).all(|(pattern, part)| {
            let (pattern, part) = (pattern.as_os_str().to_string_lossy(), part.as_os_str().to_string_lossy());
            match pattern.split_once('*') {
                Some((start, end)) => {
                    part.strip_prefix(start).is_some_and(|rest| end.trim_matches('*').is_empty() || rest.ends_with(end))
                }
                None => pattern == part,
            }
        })
}

/// The way from one folder to another, both canonical.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_way_to_the_sdk_is_found() {
        for (from, to, expected) in [
            ("/w/plugins/acme", "/w/plugins/sdk", "../sdk"),
            ("/w/a/b", "/w/sdk", "../../sdk"),
            ("/w/a", "/w/a/sdk", "sdk"),
        ] {
            assert_eq!(relative(Path::new(from), Path::new(to)), Path::new(expected));
        }
    }

    #[test]
    fn a_pattern_covers_whole_components() {
        for (pattern, path, expected) in [
            ("plugins/*", "plugins/acme", true),
            ("./plugins/*", "plugins/acme", true),
            ("plugins/*", "plugins/a/b", false),
            ("plug*", "plugins", true),
            ("*-plugin", "acme-plugin", true),
            ("*-plugin", "acme", false),
            ("plugins/acme", "plugins/acme", true),
            ("plugins/slack", "plugins/acme", false),
        ] {
            assert_eq!(matches(pattern, Path::new(path)), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_workspace_around_a_folder_decides_what_the_plugin_brings() {
        let own = Location { sdk: Sdk::Own, membership: Membership::OwnWorkspace };
        let nowhere = tempfile::tempdir().unwrap();
        assert_eq!(Location::detect(&nowhere.path().join("acme")).unwrap(), own);

        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let here = Location::detect(&root.join("plugins/not-there")).unwrap();
        assert_eq!(here, Location { sdk: Sdk::At("../sdk".into()), membership: Membership::OwnWorkspace });

        fs::write(
            nowhere.path().join("Cargo.toml"),
            "[workspace]\nmembers = [\"plugins/*\"]\nexclude = [\"plugins/x\"]\n",
        )
        .unwrap();
        let member = Location::detect(&nowhere.path().join("plugins/acme")).unwrap();
        assert_eq!(member, Location { sdk: Sdk::Own, membership: Membership::Member });
        for folder in ["plugins/x", "elsewhere/acme"] {
            assert_eq!(Location::detect(&nowhere.path().join(folder)).unwrap(), own, "{folder}");
        }
    }
}
