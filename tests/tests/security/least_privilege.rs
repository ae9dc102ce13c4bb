//! Files and folders that a server creates are accessible to their owner only, with any umask.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keyferry_tests::{Server, ServerOptions, binary};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn key_store_and_socket_are_closed_to_others_also_under_an_open_mask() {
    let folder = tempfile::tempdir().unwrap();
    let (data, plugins) = (folder.path().join("data"), folder.path().join("plugins"));
    let script = folder.path().join("open");
    fs::write(&script, format!("#!/bin/sh\numask 0\nexec {} \"$@\"\n", binary::keyferry().display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut options = ServerOptions::new(&data, &plugins);
    options.binary = Some(script);
    let mut server = Server::start(options).await;
    for (name, expected) in [("", 0o700), ("keyferry.key", 0o600), ("store", 0o700), ("admin.sock", 0o600)] {
        let path = data.join(name);
        assert_eq!(format!("{:o}", mode(&path)), format!("{expected:o}"), "{}", path.display());
    }
    assert!(!server.logs().contains("others can look into"), "{}", server.logs());

    // A folder that is open to other users is reported.
    assert!(server.terminate().await.success());
    fs::set_permissions(&data, fs::Permissions::from_mode(0o750)).unwrap();
    server.restart().await;
    let said = server.logs();
    assert!(said.contains("others can look into the data folder") && said.contains("chmod 700"), "{said}");
}
