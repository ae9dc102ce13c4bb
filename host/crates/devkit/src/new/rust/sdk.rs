use std::path::Path;

use include_dir::{Dir, include_dir};
use toml::{Table, Value};

use crate::new::NewError;
use crate::new::template::{Files, below};

static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/sdk/src");
const MANIFEST: &str = include_str!("../../../../../../plugins/sdk/Cargo.toml");
const WORKSPACE: &str = include_str!("../../../../../../Cargo.toml");
const CONTRACT: &str = include_str!("../../../../../../plugins/sdk/wit/plugin.wit");

/// The SDK as a crate that stands alone.
pub(super) fn files() -> Result<Files, NewError> {
    let mut files = Files::new();
    for (path, contents) in below(&SOURCES) {
        files.insert(Path::new("src").join(path), contents.to_vec());
    }
    files.insert("wit/plugin.wit".into(), CONTRACT.into());
    files.insert("Cargo.toml".into(), manifest()?.into_bytes());
    Ok(files)
}

/// The SDK's version and the crates that it is compiled with.
pub(super) fn dependencies() -> Result<(String, Vec<String>), NewError> {
    let manifest = resolved()?;
    let version = manifest.get("package").and_then(|package| package.get("version")).and_then(Value::as_str);
    let version = version.ok_or_else(|| broken("the SDK has no version"))?;
    let names = manifest.get("dependencies").and_then(Value::as_table).map(|table| table.keys().cloned().collect());
    Ok((version.to_owned(), names.unwrap_or_default()))
}

fn manifest() -> Result<String, NewError> {
    let mut manifest = resolved()?;
    let mut text = "# The crate that plugins are written with, as `keyferry plugin new` carries it.\n".to_owned();
    for section in ["package", "dependencies", "dev-dependencies"] {
        if let Some(table) = manifest.remove(section) {
            let section = Table::from_iter([(section.to_owned(), table)]);
            text.push('\n');
            text.push_str(&toml::to_string(&section).map_err(|error| broken(&error.to_string()))?);
        }
    }
    Ok(text)
}

/// The manifest with what it inherits from its workspace, as cargo itself puts into a package that it publishes.
fn resolved() -> Result<Table, NewError> {
    let parse = |text: &str| toml::from_str::<Table>(text).map_err(|error| broken(&error.to_string()));
    let (mut manifest, workspace) = (parse(MANIFEST)?, parse(WORKSPACE)?);
    for (section, inherited) in
        [("package", "package"), ("dependencies", "dependencies"), ("dev-dependencies", "dependencies")]
    {
        let inherited = workspace.get("workspace").and_then(|workspace| workspace.get(inherited));
        for (key, value) in manifest.get_mut(section).and_then(Value::as_table_mut).into_iter().flatten() {
            if value.get("workspace").is_some() {
                let found = inherited.and_then(|inherited| inherited.get(key));
                *value = found.ok_or_else(|| broken(&format!("the workspace has no {key}")))?.clone();
            }
        }
    }
    // The workspace's lints are for those who work on the SDK; its page and its examples stay there.
    manifest.remove("lints");
    manifest.remove("example");
    if let Some(package) = manifest.get_mut("package").and_then(Value::as_table_mut) {
        for key in ["readme", "include", "keywords", "categories"] {
            package.remove(key);
        }
    }
    Ok(manifest)
}

fn broken(what: &str) -> NewError {
    NewError::Broken(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_carries_the_contract_to_the_byte() {
        assert_eq!(
            CONTRACT,
            include_str!("../../../../../../wit/v1/plugin.wit"),
            "cp wit/v1/plugin.wit plugins/sdk/wit/"
        );
    }

    #[test]
    fn the_sdk_stands_without_its_workspace() {
        let files = files().unwrap();
        let manifest = String::from_utf8(files[Path::new("Cargo.toml")].clone()).unwrap();
        assert!(!manifest.contains("workspace"), "{manifest}");
        let manifest: Table = toml::from_str(&manifest).unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("keyferry-plugin"));
        assert_eq!(manifest["package"]["version"].as_str(), Some(env!("CARGO_PKG_VERSION")));
        assert!(manifest["dependencies"]["wit-bindgen"]["version"].is_str());
        let bindings = String::from_utf8_lossy(&files[Path::new("src/bindings.rs")]);
        assert!(bindings.contains("path: \"wit\","), "{bindings}");
        assert!(
            files.contains_key(Path::new("src/describe/field.rs")) && files.contains_key(Path::new("wit/plugin.wit"))
        );
    }
}
