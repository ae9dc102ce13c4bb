//! The sandbox in which plugins are tested.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::cache_folder::{cache_folder, private_folder, sweep};
use keyferry_sandbox::{CodeSeal, SandboxError, SandboxLimits, Workbench};
use keyferry_types::bounded_file;
use keyferry_types::path_text::ShowPath as _;

/// A sandbox with a server's limits, and slots for a few concurrent calls.
///
/// Compiled code is kept in `$XDG_CACHE_HOME/keyferry` (or `~/.cache/keyferry`), since a JavaScript or Python plugin takes
/// many seconds to compile. Where that cannot be written to, nothing is kept.
///
/// # Errors
/// If this machine cannot run it.
pub fn workbench() -> Result<Workbench, SandboxError> {
    let limits = SandboxLimits { slots: 4, ..SandboxLimits::default() };
    let cache = cache_folder().and_then(|folder| {
        let sealed = seal(&folder).inspect_err(|error| tracing::debug!(%error, "compiled code is not kept")).ok()?;
        sweep(&folder, "cwasm");
        Some((folder, sealed))
    });
    Workbench::new(limits, cache)
}

/// A seal under a key of the current user, which is created with the folder. Native code from another user is not run.
fn seal(folder: &Path) -> std::io::Result<CodeSeal> {
    private_folder(folder)?;
    let path = folder.join("key");
    let bytes = match bounded_file::read_regular(&path, 64) {
        Ok(file) => file.into_vec(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut bytes = vec![0; 32];
            SystemRandom::new().fill(&mut bytes).map_err(|_| std::io::Error::other("no random bytes"))?;
            // Another command may create one at the same time: the second one uses the first one's key from its next
            // run on.
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?.write_all(&bytes)?;
            bytes
        }
        Err(error) => return Err(error),
    };
    if bytes.len() != 32 {
        return Err(std::io::Error::other(format!("{} is not a key of 32 bytes", path.shown())));
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    Ok(Arc::new(move |code| hmac::sign(&key, code).as_ref().try_into().ok()))
}
