use std::error::Error;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wit_component::{ComponentEncoder, DecodedWasm};

use super::BuildError;
use keyferry_types::bounded_file;
use keyferry_types::ids::Slug;

/// The largest component in bytes that is compared with a new one.
const MOST: u64 = 1 << 30;

/// How a build changed the file in the plugins folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The file is new.
    New,
    /// The file had another content.
    Replaced,
    /// The file had this content already, and was not touched: nothing is swapped for it, no grant is lost.
    Unchanged,
}

/// Makes a component of a core module that has the contract's types embedded.
pub(super) fn encode(package: &str, module: &Path) -> Result<Vec<u8>, BuildError> {
    let failed = |source: Box<dyn Error + Send + Sync>| BuildError::Component { package: package.to_owned(), source };
    let module = fs::read(module).map_err(BuildError::file(module))?;
    let encoded = ComponentEncoder::default().validate(true).module(&module).and_then(|mut encoder| encoder.encode());
    let component = without_custom_sections(&encoded.map_err(|error| failed(error.into()))?)
        .map_err(|error| failed(error.into()))?;
    check(package, &component)?;
    Ok(component)
}

/// Removes custom sections: names of the component's parts and of its producers, which nothing depends on.
fn without_custom_sections(component: &[u8]) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    const CUSTOM: u8 = 0;
    let mut reader = wasmparser::BinaryReader::new(component, 0);
    let mut kept = reader.read_bytes(8)?.to_vec();
    while !reader.eof() {
        let start = reader.current_position();
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()?;
        reader.read_bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
        if id != CUSTOM {
            kept.extend_from_slice(component.get(start..reader.current_position()).unwrap_or_default());
        }
    }
    Ok(kept)
}

/// Checks that a component exports something to call.
pub(super) fn check(package: &str, component: &[u8]) -> Result<(), BuildError> {
    let failed = |source: Box<dyn Error + Send + Sync>| BuildError::Component { package: package.to_owned(), source };
    // A crate that forgot to export its plugin makes a valid component, and an empty one.
    let decoded = wit_component::decode(component).map_err(|error| failed(error.into()))?;
    match decoded {
        DecodedWasm::Component(resolve, world)
            if resolve.worlds.get(world).is_some_and(|world| !world.exports.is_empty()) =>
        {
            Ok(())
        }
        _ => Err(BuildError::NoExport(package.to_owned())),
    }
}

/// The SHA-256 of a component in lower-case hexadecimal: what grants are bound to.
pub(super) fn sha256(component: &[u8]) -> String {
    hex::encode(Sha256::digest(component))
}

/// Writes a component into a plugins folder atomically: a watcher sees the old file or the new one, never a part.
pub(super) fn store(component: &[u8], folder: &Path, slug: &Slug) -> Result<(PathBuf, Change), BuildError> {
    let path = folder.join(format!("{slug}.wasm"));
    let change = match bounded_file::read_regular(&path, MOST) {
        Ok(content) if *content.bytes == component => return Ok((path, Change::Unchanged)),
        Ok(_) => Change::Replaced,
        Err(error) if error.kind() == ErrorKind::NotFound => Change::New,
        Err(error) => return Err(BuildError::File { path, source: error }),
    };
    make(folder).map_err(BuildError::file(folder))?;
    let mut builder = tempfile::Builder::new();
    // Hidden, and without `.wasm` at its end: a watcher has no reason to look.
    builder.prefix(".").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder).map_err(BuildError::file(folder))?;
    file.write_all(component).map_err(BuildError::file(file.path()))?;
    file.as_file().sync_all().map_err(BuildError::file(file.path()))?;
    file.persist(&path).map_err(|error| BuildError::File { path: path.clone(), source: error.error })?;
    Ok((path, change))
}

/// Makes a folder. Parent folders that are made with it can be accessed by their owner only: a server's data folder is
/// one of them, if this is its plugin folder.
fn make(folder: &Path) -> std::io::Result<()> {
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(parent)?;
    }
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_stored_once_and_left_alone_while_it_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let plugins = folder.path().join("not/there/yet");
        let slug: Slug = "acme".parse().unwrap();
        let changes = ["one", "one", "two"].map(|content| store(content.as_bytes(), &plugins, &slug).unwrap().1);
        assert_eq!(changes, [Change::New, Change::Unchanged, Change::Replaced]);
        assert_eq!(fs::read(plugins.join("acme.wasm")).unwrap(), b"two");
        assert_eq!(fs::read_dir(&plugins).unwrap().count(), 1, "a temporary file was left behind");
    }

    #[test]
    fn what_is_no_module_is_refused_with_its_packages_name() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("m.wasm");
        fs::write(&module, "not a module").unwrap();
        let error = encode("keyferry-acme", &module).unwrap_err();
        assert!(matches!(&error, BuildError::Component { package, .. } if package == "keyferry-acme"), "{error}");
    }

    #[test]
    fn a_component_without_an_export_is_no_plugin() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("m.wasm");
        fs::write(&module, wat::parse_str("(module)").unwrap()).unwrap();
        let error = encode("keyferry-acme", &module).unwrap_err();
        assert!(error.to_string().contains("keyferry_plugin::export!"), "{error}");
    }

    #[test]
    fn a_digest_is_lower_case_hexadecimal() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
