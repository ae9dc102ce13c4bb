//! The folder of a plugin file's cases: [`cases_of`].

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::script;

/// The name of the folder.
const CASES: &str = "cases";
/// Folders above the one of the file that are looked at: `acme` for `acme/build/acme.wasm`.
const MOST_ABOVE: usize = 3;

/// The folder of a file's cases: beside the file if it is there, else in the folder of the plugin that the file was built
/// from, else beside the file.
pub(super) fn cases_of(file: &Path) -> PathBuf {
    let beside = file.parent().unwrap_or(Path::new("")).join(CASES);
    if beside.is_dir() {
        return beside;
    }
    let slug = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let mut above = absolute.ancestors().skip(1).take(MOST_ABOVE + 1);
    match above.find(|folder| slug_in(folder).as_deref() == Some(slug)) {
        Some(folder) => relative(&folder.join(CASES)),
        None => beside,
    }
}

/// The slug of the plugin in a folder, as its manifest has it.
fn slug_in(folder: &Path) -> Option<String> {
    if let Ok(Some(project)) = script::find(folder) {
        return Some(project.slug.to_string());
    }
    let manifest: Table = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse().ok()?;
    let package = manifest.get("package")?;
    let set = package.get("metadata").and_then(|metadata| metadata.get("keyferry")?.get("slug"));
    let name = package.get("name").and_then(Value::as_str)?;
    let slug = set.and_then(Value::as_str).unwrap_or_else(|| name.strip_prefix("keyferry-").unwrap_or(name));
    Some(slug.to_owned())
}

/// A path below the current folder as a person would write it.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_those_of_the_folder_that_a_file_was_built_from() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("rust/Cargo.toml", "[package]\nname = \"keyferry-acme\"\n");
        write("named/Cargo.toml", "[package]\nname = \"x\"\n[package.metadata.keyferry]\nslug = \"acme\"\n");
        write("workspace/Cargo.toml", "[workspace]\nmembers = []\n");
        write("js/package.json", r#"{"name":"keyferry-acme","main":"plugin.js"}"#);
        write("js/plugin.js", "");
        write("py/pyproject.toml", "[project]\nname = \"keyferry-acme\"\n");
        write("py/app.py", "");
        write("own/Cargo.toml", "[package]\nname = \"acme\"\n");
        write("own/build/cases/a.toml", "");
        for (file, cases) in [
            ("rust/build/acme.wasm", "rust/cases"),
            ("rust/acme.wasm", "rust/cases"),
            ("rust/target/a/acme.wasm", "rust/cases"),
            ("rust/a/b/c/acme.wasm", "rust/cases"),
            ("rust/a/b/c/d/acme.wasm", "rust/a/b/c/d/cases"),
            ("rust/build/other.wasm", "rust/build/cases"),
            ("named/build/acme.wasm", "named/cases"),
            ("workspace/plugins/acme.wasm", "workspace/plugins/cases"),
            ("js/build/acme.wasm", "js/cases"),
            ("py/build/acme.wasm", "py/cases"),
            ("own/build/acme.wasm", "own/build/cases"),
        ] {
            assert_eq!(cases_of(&root.join(file)), root.join(cases), "{file}");
        }
        assert_eq!(cases_of(Path::new("acme.wasm")), Path::new("cases"));
    }
}
