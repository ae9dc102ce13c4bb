//! Compiled code of the shipped plugins: compiled once, and linked into the data folder of each world.
//!
//! Compiling four plugins takes longer than most tests. A server trusts compiled code only under its own key-encryption
//! key, so that a data folder gets that key file with it.

use std::fs::{self, DirBuilder, DirEntry};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use keyferry_sandbox::Digest;
use tokio::sync::OnceCell;

use crate::binary;
use crate::or_fail::{OrFail as _, fail};
use crate::server::{Server, ServerOptions};

/// The key-encryption key in a data folder.
const KEY: &str = "keyferry.key";
/// The folder of compiled code in a data folder.
const CODE: &str = "cache";

/// Creates a data folder with the compiled code of the shipped plugins that are in a folder, and with the key that it was compiled
/// under: for a test whose subject is not the first start.
pub async fn lend(data: &Path, plugins: &Path) {
    lend_key(data).await;
    lend_code(data, plugins).await;
}

/// Creates a data folder with the key that the code was compiled under.
pub(crate) async fn lend_key(data: &Path) {
    DirBuilder::new().mode(0o700).create(data).or_fail(format_args!("make {}", data.display()));
    fs::copy(made().await.join(KEY), data.join(KEY)).or_fail("copy the key");
}

/// Puts the compiled code of the shipped plugins that are in a folder into a data folder that has their key.
pub(crate) async fn lend_code(data: &Path, plugins: &Path) {
    let (from, code) = (made().await.join(CODE), data.join(CODE));
    DirBuilder::new().recursive(true).mode(0o700).create(&code).or_fail(format_args!("make {}", code.display()));
    let entries = fs::read_dir(from).or_fail("list the compiled code");
    let entries: Vec<_> = entries.map(|entry| entry.or_fail("list the compiled code")).collect();
    for plugin in fs::read_dir(plugins).or_fail("list the plugins") {
        // A file that cannot be read is not a plugin.
        let Ok(component) = fs::read(plugin.or_fail("list the plugins").path()) else { continue };
        let digest = Digest::of(&component).to_string();
        let is_its_code = |entry: &&DirEntry| entry.file_name().to_string_lossy().starts_with(&digest);
        for entry in entries.iter().filter(is_its_code) {
            let (from, to) = (entry.path(), code.join(entry.file_name()));
            // A hard link is safe: a server replaces such a file as a whole and never writes into it.
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).or_fail("link compiled code");
        }
    }
}

/// A data folder with a key and the compiled code.
async fn made() -> &'static Path {
    static MADE: OnceCell<PathBuf> = OnceCell::const_new();
    MADE.get_or_init(compile).await
}

/// Lets a server compile all shipped plugins, or find that they are compiled.
async fn compile() -> PathBuf {
    let plugins = binary::plugins();
    let folder = binary::target().join("test-code");
    let _lock = binary::lock("test-code.lock");
    for part in fs::read_dir(&folder).into_iter().flatten().flatten() {
        // Another version of the binary may have written the store.
        if ![KEY, CODE].iter().any(|kept| part.file_name() == *kept) {
            let _gone = fs::remove_dir_all(part.path()).or_else(|_| fs::remove_file(part.path()));
        }
    }
    let mut server = Server::start(ServerOptions::new(&folder, plugins)).await;
    let ended = server.terminate().await;
    if !ended.success() {
        fail(format_args!("the server that compiled the plugins ended with {ended}:\n{}", server.logs()));
    }
    folder
}
