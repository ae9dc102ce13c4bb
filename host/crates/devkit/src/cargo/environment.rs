use std::env;
use std::path::Path;
use std::process::Command;

/// Variables that an outer cargo (`cargo run`, `cargo test`, `cargo clippy`) or the developer has set, and that would change a
/// build whose result has to be the same everywhere. `RUSTUP_TOOLCHAIN` stays: it names the wanted toolchain.
const REMOVED: [&str; 13] = [
    "CARGO",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_MAKEFLAGS",
    "CARGO_PRIMARY_PACKAGE",
    "MAKEFLAGS",
    "OUT_DIR",
    // rustup would add one to what it says to people.
    "RUST_BACKTRACE",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];

/// Prefixes of further such variables.
const REMOVED_PREFIXES: [&str; 7] = [
    "CARGO_BIN_",
    "CARGO_CFG_",
    "CARGO_CRATE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_WASM32_",
];

/// A tool, to be started in a folder (whose `rust-toolchain.toml` and `.cargo/config.toml` then count).
pub(super) fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_removed) {
            command.env_remove(name);
        }
    }
    command
}

fn is_removed(name: &str) -> bool {
    REMOVED.contains(&name) || REMOVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_outer_cargo_sets_does_not_reach_an_inner_one() {
        // This test itself runs under cargo.
        let scrubbed = command("cargo", Path::new("."));
        let removed: Vec<_> = scrubbed.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(removed.contains(&"CARGO_MANIFEST_DIR".as_ref()), "{removed:?}");
        for name in ["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_PKG_NAME", "CARGO_PROFILE_RELEASE_DEBUG"] {
            assert!(is_removed(name), "{name}");
        }
    }

    #[test]
    fn what_says_where_things_are_stays() {
        for name in
            ["PATH", "HOME", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "RUSTUP_TOOLCHAIN", "HTTPS_PROXY"]
        {
            assert!(!is_removed(name), "{name}");
        }
    }
}
