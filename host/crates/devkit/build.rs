//! Has the crate compiled again where what it embeds (`src/new`, the cases of the shipped apps) changes: `include_dir!` tells cargo
//! of no new file.

fn main() {
    for path in
        ["build.rs", "src/new/templates", "../../../plugins/sdk/src", "../../../plugins/sdk/wit", "../../../wit/v1"]
    {
        println!("cargo:rerun-if-changed={path}");
    }
    for app in std::fs::read_dir("../../../plugins").into_iter().flatten().flatten() {
        let cases = app.path().join("cases");
        if cases.is_dir() {
            println!("cargo:rerun-if-changed={}", cases.display());
        }
    }
}
