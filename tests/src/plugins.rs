//! Plugin files for tests: other versions of one, and those that only tests have.

use std::path::Path;

use crate::binary;
use crate::or_fail::{OrFail as _, fail};

/// Another component that does the very same: a custom section with this content is put at its end.
pub fn variant(component: &[u8], content: &str) -> Vec<u8> {
    let name = b"keyferry-test";
    let length = 1 + name.len() + content.len();
    let mut section = vec![0];
    // LEB128, as all lengths in WebAssembly.
    let mut rest = length;
    while rest >= 0x80 {
        section.push(u8::try_from(rest & 0x7F).unwrap_or_default() | 0x80);
        rest >>= 7;
    }
    section.push(u8::try_from(rest).unwrap_or_default());
    section.push(u8::try_from(name.len()).unwrap_or_default());
    [component, &section, name, content.as_bytes()].concat()
}

/// Builds the plugin in a folder beside this crate into another folder.
pub fn build(crate_folder: &str, out: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(crate_folder);
    let mut command = binary::command(binary::keyferry());
    let built = command.args(["plugin", "build"]).arg(source).arg("--out").arg(out).output();
    let built = built.or_fail("run plugin build");
    if !built.status.success() {
        fail(format_args!("{crate_folder} was not built: {}", String::from_utf8_lossy(&built.stderr)));
    }
}
