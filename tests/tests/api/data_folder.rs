//! The data folder: which commands create it, and their messages about it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use keyferry_tests::{Grants, Server, ServerOptions, binary};

fn keyferry(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = binary::command(binary::keyferry());
    // The harness' own variable, which the program also reads.
    command.args(arguments).current_dir(folder).env_remove("KEYFERRY_PLUGINS").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn commands_that_read_create_nothing_and_say_what_does() {
    let folder = tempfile::tempdir().unwrap();
    let no_folder = "there is no data folder keyferry-data";
    for (arguments, code, expected) in [
        (&["api-key", "list", "--org", "acme"][..], 1, no_folder),
        (&["api-key", "revoke", "tk_x", "--org", "acme"], 1, no_folder),
        (&["org", "list"], 1, no_folder),
        (&["key", "list", "--org", "acme"], 1, no_folder),
        (&["key", "rotate", "--org", "acme"], 1, no_folder),
        (&["key", "rewrap", "--all", "--to-key-file", "new.key"], 1, no_folder),
        (&["audit", "verify", "--org", "acme"], 1, no_folder),
        (&["audit", "export", "--org", "acme"], 1, no_folder),
        (&["plugin", "list"], 2, "`keyferry plugin build` makes it"),
        (&["plugin", "grant", "hubspot"], 2, "`keyferry plugin build` makes it"),
        (&["plugin", "revoke", "hubspot"], 2, "`keyferry plugin build` makes it"),
        (&["config", "check"], 0, ""),
        (&["openapi"], 0, ""),
    ] {
        let output = keyferry(folder.path(), arguments);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(code) && said.contains(expected), "{arguments:?}: {said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?} created something");
    }
    // No command creates a store in a folder without one.
    binary::copy_plugins(&folder.path().join("keyferry-data/plugins"));
    let output = keyferry(folder.path(), &["api-key", "list", "--org", "acme"]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("nothing is stored in"), "{said}");
    assert_eq!(fs::read_dir(folder.path().join("keyferry-data")).unwrap().count(), 1);
    // Grants on drop are not stored for a server that does not exist.
    let plugins = folder.path().join("keyferry-data/plugins").display().to_string();
    let output = keyferry(folder.path(), &["openapi", "--dev", "--data", "elsewhere", "--plugins", &plugins]);
    assert!(output.status.success() && text(&output.stdout).contains("hubspot"), "{}", text(&output.stderr));
    assert!(!folder.path().join("elsewhere").exists());
}

#[test]
fn a_folder_of_a_databases_server_begins_no_store_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("keyferry-data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("store-identity"), [7; 16]).unwrap();
    let output = keyferry(folder.path(), &["api-key", "create", "--org", "acme", "--environment", "test"]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("name that by --store or KEYFERRY_STORE_URL"), "{said}");
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "something was created");
}

#[tokio::test]
async fn what_creates_the_folder_or_the_key_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let create = ["api-key", "create", "--org", "acme", "--environment", "test"];
    let output = keyferry(folder.path(), &create);
    let said = text(&output.stderr);
    assert!(output.status.success() && text(&output.stdout).trim().lines().count() == 1, "{said}");
    assert!(said.contains("created the data folder") && said.contains("keyferry.key: back it up"), "{said}");
    assert!(!said.contains("others can look"), "{said}");
    let mode = fs::metadata(folder.path().join("keyferry-data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(text(&keyferry(folder.path(), &create).stderr), "");

    let data = folder.path().join("served");
    let mut options = ServerOptions::new(&data, data.join("plugins"));
    options.grants = Grants::ByHand;
    let mut server = Server::start(options).await;
    let first = server.logs();
    for part in ["created the data folder", "created the key-encryption key: back it up", "served/keyferry.key"] {
        assert!(first.contains(part), "{part}: {first}");
    }
    server.restart().await;
    let second = server.logs().split_off(first.len());
    assert!(second.contains("keyferry.key") && !second.contains("created the"), "{second}");
}
