//! Has the crate compiled again where what it embeds (`src/new`) changes: `include_dir!` tells cargo of no new file.

fn main() {
    for path in
        ["build.rs", "src/new/templates", "../../../plugins/sdk/src", "../../../plugins/sdk/wit", "../../../wit/v1"]
    {
        println!("cargo:rerun-if-changed={path}");
    }
}
