//! Backups that are restored, and those that are not.

use std::fs;
use std::path::Path;

use keyferry_tests::{Awaits, Server, ServerOptions, World, run_in};

use super::stage::*;

#[tokio::test]
async fn what_cannot_be_restored_is_refused_before_anything_is_written() {
    let world = World::start().await;
    assert_eq!(world.migrate("stripe", stripe()).await.status, 200);
    let file = world.folder().join("whole.kfb");
    let (code, _, err) = world.command(&["backup", &shown(&file)]).await;
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = world.command(&["backup", &shown(&file)]).await;
    assert!(code == Some(1) && err.contains("exists already"), "{err}");
    let whole = fs::read(&file).unwrap();
    let data = folder_with_key(&world, "restored");
    let (folder, damaged) = (shown(&data), world.folder().join("damaged.kfb"));

    // Cut and damaged in many places.
    for part in 0..20 {
        let place = whole.len() * part / 20;
        fs::write(&damaged, &whole[..place]).unwrap();
        keyferry(&["backup", "--verify", &shown(&damaged)])
            .await
            .fails(&["damaged.kfb: the backup is cut off in section ", "use another copy"]);
        keyferry(&["restore", "--data", &folder, &shown(&damaged)]).await.fails(&["cut off in section "]);
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (part % 8);
        fs::write(&damaged, bytes).unwrap();
        let refused = keyferry(&["restore", "--data", &folder, &shown(&damaged)]).await;
        assert_eq!(refused.code, Some(1), "{place}: {}", refused.err);
        assert!(part == 0 || refused.err.contains("the backup is damaged in section "), "{}", refused.err);
    }
    assert!(!data.join("store").exists(), "something was written");

    // Another key, and none.
    fs::remove_file(data.join("keyferry.key")).unwrap();
    let needed = keyferry(&["backup", "--verify", &shown(&file), "--json"]).await.json()["keys"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let restore = ["restore", "--data", &folder, &shown(&file)];
    keyferry(&restore).await.fails(&[&needed, "nothing was restored", "there is no key file at"]);
    let other = world.folder().join("other");
    let create = ["api-key", "create", "--org", "other", "--environment", "test", "--data", &shown(&other)];
    assert_eq!(keyferry(&create).await.code, Some(0));
    let other_key = shown(&other.join("keyferry.key"));
    keyferry(&["restore", "--data", &folder, "--key-file", &other_key, &shown(&file)])
        .await
        .fails(&[&needed, "which opens 0 of its 1 root keys"]);
    assert!(!data.join("store").exists(), "something was written");

    // A store with content, and one that a server has open.
    let key_file = shown(&world.data().join("keyferry.key"));
    let into = |folder: &Path| {
        [
            "restore".to_owned(),
            "--data".to_owned(),
            shown(folder),
            "--key-file".to_owned(),
            key_file.clone(),
            shown(&file),
        ]
    };
    for (folder, expected) in
        [(other.as_path(), "is not empty"), (world.data().as_path(), "is in use by another process")]
    {
        let arguments = into(folder);
        keyferry(&arguments.each_ref().map(String::as_str)).await.fails(&[expected]);
    }
}

/// A pipe that ends in the middle: it can be read only once, so that the store has its mark by then.
#[tokio::test]
async fn a_restore_that_was_interrupted_is_served_by_nobody_and_repeated() {
    let mut world = World::start().await;
    import(&world, 50).await;
    let key = reading_key(&world).await;
    let all = exported(&world.server, &key).await;
    // To standard output, and encrypted.
    let identity = age::x25519::Identity::generate();
    let identity_file = world.folder().join("identity");
    fs::write(&identity_file, age::secrecy::ExposeSecret::expose_secret(&identity.to_string())).unwrap();
    let recipient = identity.to_public().to_string();
    let data_folder = shown(&world.data());
    let output = run_in(&[], ["backup", "-", "--recipient", &recipient, "--data", &data_folder]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let encrypted = world.folder().join("all.age");
    fs::write(&encrypted, output.stdout).unwrap();
    assert!(fs::read(&encrypted).unwrap().starts_with(b"age-encryption.org/v1"));
    keyferry(&["backup", "--verify", &shown(&encrypted)]).await.fails(&["is encrypted", "--identity"]);
    let verify = ["backup", "--verify", &shown(&encrypted), "--identity", &shown(&identity_file), "--json"];
    assert!(keyferry(&verify).await.json()["bytes"].as_u64().unwrap() > 10_000);

    let plain = world.folder().join("all.kfb");
    let (code, _, err) = world.command(&["backup", &shown(&plain)]).await;
    assert_eq!(code, Some(0), "{err}");
    let bytes = fs::read(&plain).unwrap();
    let data = folder_with_key(&world, "restored");
    let cut = piped(&["restore", "--data", &shown(&data), "-"], &bytes[..bytes.len() - 100]).await;
    cut.fails(&["cut off in section "]);
    let mut options = ServerOptions::new(&data, world.plugins());
    options.awaits = Awaits::Listening;
    let refused = Server::try_start(options).await.map(|_| ()).unwrap_err();
    assert!(refused.logs.contains("is incomplete: the restore of the backup of sled:"), "{refused}");
    let list = keyferry(&["org", "list", "--data", &shown(&data)]).await;
    list.fails(&["is incomplete", "run that command again"]);
    // Another backup of the same store is another content.
    keyferry(&["restore", "--data", &shown(&data), "--identity", &shown(&identity_file), &shown(&encrypted)])
        .await
        .fails(&["has a part of something else"]);
    let whole = piped(&["restore", "--data", &shown(&data), "-"], &bytes).await;
    assert_eq!(whole.code, Some(0), "{}", whole.err);
    let server = server_on(&mut world, &data, None).await;
    assert_eq!(exported(&server, &key).await, all);
}
