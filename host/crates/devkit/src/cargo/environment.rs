use std::env;
use std::path::Path;
use std::process::Command;

/// What an outer cargo (`cargo run`, `cargo test`, `cargo clippy`) or the developer's habits would bring into a build that
/// has to come out the same everywhere. `RUSTUP_TOOLCHAIN` stays: it is the toolchain that was asked for.
const DISTURBING: [&str; 13] = [
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

/// The same for families of variables.
const DISTURBING_FAMILIES: [&str; 7] = [
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
        if name.to_str().is_some_and(disturbs) {
            command.env_remove(name);
        }
    }
    command
}

fn disturbs(name: &str) -> bool {
    DISTURBING.contains(&name) || DISTURBING_FAMILIES.iter().any(|family| name.starts_with(family))
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
            assert!(disturbs(name), "{name}");
        }
    }

    #[test]
    fn what_says_where_things_are_stays() {
        for name in
            ["PATH", "HOME", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "RUSTUP_TOOLCHAIN", "HTTPS_PROXY"]
        {
            assert!(!disturbs(name), "{name}");
        }
    }
}
